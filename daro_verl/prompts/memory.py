"""The difficulty memory: how often the model solves each prompt, as seen so far and as predicted now. NumPy only.

The *record* of a prompt is its pass rate over its visits. Each visit halves the count of all earlier ones, because the
model has learned since. A prediction says what the prompt's *kin* did: prompts of the same source with the same record,
when they were visited again (ours). The pass rates ``mu`` of the kin have the moments

    m1 = sum k / sum n,    m2 = sum [n k (k - 1) / (n (n - 1))] / sum n    (E k (k - 1) = n (n - 1) E mu^2),

with ``k`` of ``n`` responses right, and sums over groups. Recent groups count more. The posterior is the Beta
distribution with these moments, interpolated between records. So the prediction follows a model that learns, even for
prompts that are not visited. It is calibrated by what came, and needs no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

LEVELS = 10
"""Records have the levels 0, 0.1 .. 1. Index ``LEVELS + 1`` stands for prompts that were never seen."""
KEPT = 0.5
"""The part of a prompt's older responses that still counts after another visit."""
KIN_KEPT = 0.9
"""The same for kin, after each step that saw some of them: about ten such steps count."""
KINSHIP = 16.0
"""A guess about kin counts as this many responses. For the kin of one source, the guess is the kin of all sources. For
the kin of all sources, it is the record itself. Together with ``KEPT``, this value is a good compromise on simulated
models that learn at different speeds (``benchmarks/prediction.py``)."""
GUESS = 8.0
"""``alpha + beta`` of the guess that is the record itself."""
LARGEST = 64.0
"""Upper bound of ``alpha + beta``. Above it, a pass rate is as good as known."""

COLUMNS = {
    "id": np.uint64,
    "source": np.uint16,
    "successes": np.float32,
    "responses": np.float32,
    "visits": np.uint32,
    "last_step": np.int32,
    "last_pass_rate": np.float32,
}
"""What is stored of one prompt, 30 bytes. ``successes / responses`` is its record. Before its first visit,
``last_step`` is -1."""


@dataclass(frozen=True)
class Posterior:
    """Beta posteriors of pass rates: ``alpha``, ``beta`` [N] float64."""

    alpha: np.ndarray
    beta: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The predicted pass rate [N]."""
        return self.alpha / (self.alpha + self.beta)


@dataclass
class DifficultyMemory:
    """What is known of all prompts. It lives on the driver as long as the job. ``memory_file.py`` saves it.

    Attributes:
        prompts: the columns of ``COLUMNS`` [N], ordered by ``id``.
        sources: names of the data sources. The column ``source`` is an index into them.
        kin: [sources, LEVELS + 2, 3] sums of ``n``, ``k`` and ``n k (k - 1) / (n (n - 1))``, by source and by the
            record before the visit.
        kin_step: [sources, LEVELS + 2] the last step that added to ``kin``, or -1. The groups of one step may come in
            many calls, which together count as one.
        version: number of times that the predictions have changed.
    """

    prompts: dict[str, np.ndarray] = field(
        default_factory=lambda: {name: np.empty(0, dtype) for name, dtype in COLUMNS.items()}
    )
    sources: list[str] = field(default_factory=list)
    kin: np.ndarray = field(default_factory=lambda: np.zeros((0, LEVELS + 2, 3)))
    kin_step: np.ndarray = field(default_factory=lambda: np.zeros((0, LEVELS + 2), np.int64))
    version: int = 0

    def __len__(self) -> int:
        return len(self.prompts["id"])

    def rows(self, ids: np.ndarray) -> np.ndarray:
        """The rows of prompts, int64 in the shape of ``ids``; -1 for prompts that are not there."""
        known = self.prompts["id"]
        if not len(known):
            return np.full(ids.shape, -1)
        found = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        return np.where(known[found] == ids, found, -1)

    def add(self, ids: np.ndarray, sources: Sequence[str]) -> None:
        """Make room for prompts [N]. Prompts that are already there stay as they are."""
        new, first = np.unique(ids.astype(np.uint64), return_index=True)
        unknown = self.rows(new) < 0
        new, first = new[unknown], first[unknown]
        if not len(new):
            return
        fresh = {name: np.zeros(len(new), dtype) for name, dtype in COLUMNS.items()}
        fresh["id"], fresh["source"] = new, self._source_numbers([sources[i] for i in first])
        fresh["last_step"][:], fresh["last_pass_rate"][:] = -1, np.nan
        places = np.searchsorted(self.prompts["id"], new)
        self.prompts = {name: np.insert(old, places, fresh[name]) for name, old in self.prompts.items()}

    def observe(
        self, ids: np.ndarray, sources: Sequence[str], successes: np.ndarray, responses: np.ndarray, step: int
    ) -> None:
        """Learn from groups of one step. Groups of the same prompt count as one. Empty groups do not count.

        Args:
            ids: [B] prompts.
            sources: [B] their data sources, used for prompts that are new.
            successes: [B] ``k``, the summed success of each group, from 0 to ``n``.
            responses: [B] ``n``, sizes of the groups.
            step: the trainer's step.
        """
        self.add(ids, sources)
        rows, group = np.unique(self.rows(ids), return_inverse=True)
        k, n = (np.bincount(group, weights, len(rows)) for weights in (successes, responses))
        rows, k, n = rows[n > 0], k[n > 0], n[n > 0]
        self._observe_kin(rows, k, n, step)
        prompts = self.prompts
        prompts["successes"][rows] = KEPT * prompts["successes"][rows] + k
        prompts["responses"][rows] = KEPT * prompts["responses"][rows] + n
        prompts["visits"][rows] += 1
        prompts["last_step"][rows] = step
        prompts["last_pass_rate"][rows] = k / n
        self.version += 1

    def predict(self, rows: np.ndarray) -> Posterior:
        """The posteriors of the prompts in ``rows`` (:meth:`rows`). Row -1 is a prompt of which nothing is known."""
        record, source = self._records(rows) * LEVELS, self._sources_of(rows)
        is_seen = record >= 0
        below = np.where(is_seen, np.floor(record), LEVELS + 1).astype(int)
        above = np.where(is_seen, np.ceil(record), LEVELS + 1).astype(int)
        share = np.where(is_seen, record - np.floor(record), 0.0)
        m1, m2 = ((1 - share) * moment[source, below] + share * moment[source, above] for moment in self._moments())
        size = np.clip(m1 * (1 - m1) / np.maximum(m2 - m1**2, 1e-9) - 1, 1.0, LARGEST)
        return Posterior(m1 * size, (1 - m1) * size)

    def seen(self, rows: np.ndarray) -> np.ndarray:
        """[N] bool, whether the prompts in ``rows`` were visited at least once."""
        return self._records(rows) >= 0

    def _observe_kin(self, rows: np.ndarray, k: np.ndarray, n: np.ndarray, step: int) -> None:
        records = self._records(rows)
        level = np.where(records < 0, LEVELS + 1, np.rint(records * LEVELS)).astype(int)
        pairs = np.where(n > 1, k * (k - 1) / np.maximum(n - 1, 1), k**2 / n)
        seen = np.zeros_like(self.kin)
        np.add.at(seen, (self._sources_of(rows), level), np.stack([n, k, pairs], axis=-1))
        old = (seen[..., 0] > 0) & (self.kin_step != step)
        self.kin[old] *= KIN_KEPT
        self.kin_step[old] = step
        self.kin += seen

    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        """``m1`` and ``m2``, each [sources + 1, LEVELS + 2]. The last row is for an unknown source."""
        guess = np.append(np.arange(LEVELS + 1) / LEVELS, 0.5)
        moments = []
        for column, value in ((1, guess), (2, guess**2 + guess * (1 - guess) / (GUESS + 1))):
            general = _shrunk(self.kin.sum(axis=0), column, value)
            moments.append(np.vstack([_shrunk(self.kin, column, general), general]))
        return moments[0], moments[1]

    def _records(self, rows: np.ndarray) -> np.ndarray:
        """Pass rates over the visits [N]; -1 for prompts that were never seen."""
        if not len(self):
            return np.full(rows.shape, -1.0)
        s, n = self.prompts["successes"][rows].astype(float), self.prompts["responses"][rows].astype(float)
        return np.where((rows >= 0) & (n > 0), s / np.maximum(n, 1e-9), -1.0)

    def _sources_of(self, rows: np.ndarray) -> np.ndarray:
        if not len(self):
            return np.zeros(rows.shape, int)
        return np.where(rows < 0, len(self.sources), self.prompts["source"][rows].astype(int))

    def _source_numbers(self, names: Sequence[str]) -> np.ndarray:
        numbers = dict(zip(self.sources, range(len(self.sources)), strict=True))
        for name in names:
            numbers.setdefault(name, len(numbers))
        num_new = len(numbers) - len(self.sources)
        self.sources = list(numbers)
        self.kin = np.concatenate([self.kin, np.zeros((num_new, *self.kin.shape[1:]))])
        self.kin_step = np.concatenate([self.kin_step, np.full((num_new, LEVELS + 2), -1)])
        return np.fromiter(map(numbers.__getitem__, names), np.uint16, len(names))


def _shrunk(kin: np.ndarray, column: int, value: np.ndarray) -> np.ndarray:
    """A moment of the kin, with ``KINSHIP`` more responses at ``value``."""
    return (kin[..., column] + KINSHIP * value) / (kin[..., 0] + KINSHIP)
