"""Check that no kill lost more than it may, and that the resumed job equals the uninterrupted one, bit by bit."""

from dataclasses import dataclass
from typing import Any

from benchmarks.interruptions.campaign import CampaignJob
from benchmarks.interruptions.journal import DATA, SAVED, TRACKER

NOT_COMPARED = ("time", "kind", "step")


@dataclass
class Outcome:
    """One kill and the resume after it.

    Attributes:
        phase, step: what the job was doing.
        last_trained: the last step that was trained before the kill.
        newest: steps of the checkpoint, complete at the kill, from which the job may resume. Two where the kill came
            within the microseconds in which a save becomes complete.
        resumed: the step from which it did.
        compared, different: states (resumed or trained) compared with the uninterrupted run until the next kill.
    """

    kind: str
    keep: int
    phase: str
    step: int
    last_trained: int
    newest: list[int]
    resumed: int
    compared: int
    different: list[int]

    @property
    def redone(self) -> int:
        return self.last_trained - self.resumed

    def problems(self, save_every: int) -> list[str]:
        found = []
        if self.resumed not in self.newest:
            found.append(f"resumed from step {self.resumed} instead of {self.newest}")
        if not 0 <= self.redone <= save_every:
            found.append(f"{self.redone} steps to train again with a save every {save_every}")
        if self.different:
            found.append(f"state differs from the uninterrupted run at steps {self.different}")
        return found


class Reference:
    """The states of the uninterrupted run by step; step 0 is the state before the first."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        self._states = {line["step"]: line for line in _states(lines)}

    def differences(self, lines: list[dict[str, Any]]) -> list[int]:
        """Steps whose state differs, in any digest, any bit of the difficulty weights, or the data item."""
        return [line["step"] for line in _states(lines) if not self._same(line)]

    def _same(self, line: dict[str, Any]) -> bool:
        want = self._states[line["step"]]
        return all(line[key] == want[key] for key in line if key not in NOT_COMPARED)


def outcomes(job: CampaignJob, reference: Reference) -> list[Outcome]:
    """One for each kill of ``job``. A start that is killed before it has resumed leaves the comparison to the next."""
    journals = [start.lines() for start in job.starts]
    found = []
    for i, start in enumerate(job.starts[:-1]):
        assert start.kill is not None
        following = next(lines for lines in journals[i + 1 :] if _states(lines))
        before = [line for lines in journals[: i + 1] for line in lines]
        last = next(line for line in reversed(before) if "phase" in line)
        compared = _states(following)
        found.append(
            Outcome(
                kind=start.kill.kind,
                keep=job.keep,
                phase=last["phase"],
                step=last["step"],
                last_trained=next((line["step"] for line in reversed(_states(before))), 0),
                newest=_newest_complete(before, last),
                resumed=compared[0]["step"],
                compared=len(compared),
                different=reference.differences(following),
            )
        )
    return found


def _states(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if "kind" in line]


def _newest_complete(before: list[dict[str, Any]], last: dict[str, Any]) -> list[int]:
    saved = next((line["step"] for line in reversed(before) if line.get("phase") == SAVED), 0)
    if last["phase"] == TRACKER:  # data.pt and the actor are whole, the tracker is empty or names the step
        return [last["step"]]
    return [saved, last["step"]] if last["phase"] == DATA else [saved]


def first_starts(jobs: list[CampaignJob], reference: Reference) -> list[int]:
    """Steps that differ before any kill: that would mean that the job itself does not repeat."""
    return [step for job in jobs for step in reference.differences(job.starts[0].lines())]
