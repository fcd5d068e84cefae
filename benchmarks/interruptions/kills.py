"""The moments of the kills: any moment of the job, within a save, or at the beginning of a named phase."""

import random
import time
from dataclasses import dataclass
from typing import Protocol

from benchmarks.interruptions.journal import BEFORE_MODEL, LOADING, SAVED, SAVING
from benchmarks.interruptions.process_group import JobProcesses

POLL_SECONDS = 0.002


@dataclass
class Durations:
    """Of the uninterrupted run, in seconds.

    Attributes:
        job: from the beginning of loading to the end.
        first_save: of the first save of a process, which takes longer than the later ones.
        save: the median of the later saves.
    """

    job: float
    first_save: float
    save: float


class Kill(Protocol):
    kind: str

    def strike(self, job: JobProcesses, durations: Durations) -> bool:
        """Wait for the moment and kill; False if the job ended before."""


@dataclass
class AtAnyMoment:
    """Uniform over the duration of an uninterrupted job, counted from the beginning of loading."""

    random: random.Random
    kind = "any moment"

    def strike(self, job: JobProcesses, durations: Durations) -> bool:
        delay = self.random.uniform(0, durations.job)
        return _wait_for(job, LOADING, 1) and _kill_after(job, delay)


@dataclass
class WithinASave:
    """Uniform over the duration of one save, the first to third after the start; a save is a small part of a job."""

    random: random.Random
    kind = "within a save"

    def strike(self, job: JobProcesses, durations: Durations) -> bool:
        nth = self.random.randint(1, 3)
        delay = self.random.uniform(0, durations.first_save if nth == 1 else durations.save)
        return _wait_for(job, BEFORE_MODEL, nth) and _kill_after(job, delay)


@dataclass
class AtPhase:
    """By the job itself, at the beginning of ``phase`` in its ``nth`` save after the start."""

    phase: str
    nth: int = 1
    kind = "named phase"

    def strike(self, job: JobProcesses, durations: Durations) -> bool:
        while job.running():
            time.sleep(0.05)
        return job.lines()[-1]["phase"] == self.phase


def measured(lines: list[dict]) -> Durations:
    """From the journal of an uninterrupted run."""
    starts = [line["time"] for line in lines if line.get("phase") == BEFORE_MODEL]
    ends = [line["time"] for line in lines if line.get("phase") == SAVED]
    saves = [end - start for start, end in zip(starts, ends, strict=True)]
    loading = next(line["time"] for line in lines if line.get("phase") == LOADING)
    later = sorted(saves[1:])
    return Durations(job=lines[-1]["time"] - loading, first_save=saves[0], save=later[len(later) // 2])


def plan(kills: int, seed: int) -> list[Kill]:
    """Three in five at any moment, two in five within a save, in random order; then one at each phase of a save."""
    source = random.Random(seed)
    within = round(0.4 * kills)
    chosen: list[Kill] = [WithinASave(source)] * within + [AtAnyMoment(source)] * (kills - within)
    source.shuffle(chosen)
    return chosen + [AtPhase(phase, source.randint(1, 2)) for phase in SAVING]


def _wait_for(job: JobProcesses, phase: str, count: int) -> bool:
    while sum(line.get("phase") == phase for line in job.lines()) < count:
        if not job.running():
            return False
        time.sleep(POLL_SECONDS)
    return True


def _kill_after(job: JobProcesses, delay: float) -> bool:
    end = time.monotonic() + delay
    while time.monotonic() < end:
        if not job.running():
            return False
        time.sleep(POLL_SECONDS)
    job.kill()
    return True
