"""Problems, their data sets, the reasons to drop a row, and the way to ask a problem."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

BOXED = r" Let's think step by step and output the final answer within \boxed{}."

# The reasons by which a report counts rows. Details go into the examples beside the counts.
MISSING = "missing field"
WRONG_TYPE = "field of a wrong type"
NEEDS_IMAGE = "needs an image"
NO_BOX = "no boxed answer in the solution"
LEVEL = "level not asked for"
NOT_AN_INTEGER = "answer is not an integer from 0 to 999"
GOLD = "answer cannot be scored"
DUPLICATE = "duplicate"
CONTRADICTION = "duplicate with another answer"
IN_TEST = "also in a test file"


class Dropped(Exception):
    """A row is not a usable problem, for one of the reasons above. The detail says what is wrong with this row."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Problem:
    """One problem with its answer. Fields that a source does not have are empty.

    ``answer``: the gold answer for scoring. ``raw_answer``: the answer as the source writes it. ``system``: this row's
    own system message. ``scorer``: name of the reasoning-gym scorer. ``entry``: the scorer's input, as JSON.
    """

    text: str
    answer: str
    raw_answer: str = ""
    id: str = ""
    level: str = ""
    subject: str = ""
    answer_type: str = ""
    unit: str = ""
    system: str = ""
    scorer: str = ""
    entry: str = ""


@dataclass(frozen=True)
class Source:
    """A data set.

    Args:
        name: ``data_source`` of its rows. verl averages validation scores by it.
        read: turns one raw row into a problem, or raises :class:`Dropped`.
        hub_id, config, splits: its place on the hub.
        revision: its branch, tag or commit; None for the hub's default, which may change.
        role: a benchmark (``test``) keeps doubtful rows, because a published score counts them. The report remarks on
            such rows.
        num_rows: rows of the published benchmark, one number per edition. The report remarks on any other number.
        rollouts: responses per problem in validation.
        suffix: text after the problem, if there is no system message.
        ability: verl's column of this name.
        checks_golds: whether answers go through math-verify.
        rows: for generated tasks, makes the raw rows instead of loading them.
    """

    name: str
    read: Callable[[Mapping[str, Any]], Problem]
    hub_id: str = ""
    config: str | None = None
    splits: tuple[str, ...] = ("train",)
    revision: str | None = None
    role: Literal["train", "test"] = "train"
    num_rows: tuple[int, ...] = ()
    rollouts: int = 1
    suffix: str = BOXED
    ability: str = "math"
    checks_golds: bool = True
    rows: Callable[[], Any] | None = None


@dataclass(frozen=True)
class PromptStyle:
    """The way to ask the problems of a file. None means that the source decides.

    ``system``: the system message of every row; an empty string for none. ``suffix``: the text after the problem.
    """

    system: str | None = None
    suffix: str | None = None

    def messages(self, text: str, own_system: str, own_suffix: str) -> list[dict[str, str]]:
        """verl's ``prompt``. A system message describes the form of the answer, so it replaces the source's suffix."""
        system = own_system if self.system is None else self.system
        suffix = self.suffix
        if suffix is None:
            suffix = "" if system else own_suffix
        user = {"role": "user", "content": text + suffix}
        return [{"role": "system", "content": system}, user] if system else [user]
