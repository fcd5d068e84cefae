"""Run the uninterrupted job once. Then run jobs that are killed and restarted, until every kill has happened."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.interruptions.journal import read_journal
from benchmarks.interruptions.kills import AtPhase, Durations, Kill, measured
from benchmarks.interruptions.process_group import JobProcesses

LONGEST_RUN = 600.0


@dataclass
class Start:
    """One start of a job; ``kill`` is None if it went to its end."""

    journal: Path
    kill: Kill | None

    def lines(self) -> list[dict[str, Any]]:
        return read_journal(self.journal)


@dataclass
class CampaignJob:
    """One job with a folder of checkpoints of its own, started as often as it takes."""

    folder: Path
    keep: int
    starts: list[Start] = field(default_factory=list)


@dataclass
class Campaign:
    """
    Attributes:
        folder: of all journals, logs and checkpoints.
        model: the Hugging Face model that every job begins with.
        steps, save_every: of every job.
    """

    folder: Path
    model: str
    steps: int
    save_every: int
    console: Console = field(default_factory=Console)
    jobs: list[CampaignJob] = field(default_factory=list)

    def run_uninterrupted(self) -> tuple[list[dict[str, Any]], Durations]:
        """The journal to compare with, and how long its parts took."""
        job = CampaignJob(self.folder / "uninterrupted", keep=2)
        self._start(job, None).wait(LONGEST_RUN)
        lines = job.starts[0].lines()
        return lines, measured(lines)

    def run(self, kills: list[Kill], durations: Durations) -> None:
        """Strike with every kill, in order. A job that ends first is followed by a new one, whose
        ``max_actor_ckpt_to_keep`` is 1 and 2 in turn; the last one goes to its end."""
        job = self._new_job()
        for number, kill in enumerate(track(kills, "kills", console=self.console), start=1):
            while not kill.strike(self._start(job, kill), durations):
                job.starts[-1].kill = None
                job = self._new_job()
            self.console.print(f"kill {number} of {len(kills)}, {kill.kind}: {job.starts[-1].lines()[-1]['phase']}")
        if kills:
            self._start(job, None).wait(LONGEST_RUN)

    def _new_job(self) -> CampaignJob:
        number = len(self.jobs)
        self.jobs.append(CampaignJob(self.folder / f"job_{number}", keep=1 + number % 2))
        return self.jobs[-1]

    def _start(self, job: CampaignJob, kill: Kill | None) -> JobProcesses:
        job.folder.mkdir(parents=True, exist_ok=True)
        job.starts.append(Start(job.folder / f"start_{len(job.starts)}.jsonl", kill))
        arguments = ["--model", self.model, "--checkpoints", str(job.folder / "checkpoints")]
        arguments += ["--steps", str(self.steps), "--save-every", str(self.save_every), "--keep", str(job.keep)]
        if isinstance(kill, AtPhase):
            arguments += ["--die-at", f"{kill.phase}#{kill.nth}"]
        return JobProcesses(arguments, job.starts[-1].journal)
