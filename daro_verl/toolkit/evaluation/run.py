"""One run: from a checkpoint and a test file to the figures, or to where an interruption stopped it."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.data.schema import ROLLOUTS
from daro_verl.toolkit.evaluation.checkpoint import find_weights
from daro_verl.toolkit.evaluation.convert import as_model
from daro_verl.toolkit.evaluation.engines import Engine, Resources, start
from daro_verl.toolkit.evaluation.errors import DaroEvaluationError
from daro_verl.toolkit.evaluation.loop import Ask, Loop
from daro_verl.toolkit.evaluation.problems import Problem, digest, read_problems
from daro_verl.toolkit.evaluation.prompts import Renderer, Room, remarks, room
from daro_verl.toolkit.evaluation.records import Row, RowFile
from daro_verl.toolkit.evaluation.report import write_report
from daro_verl.toolkit.evaluation.settings import Settings, open_folder
from daro_verl.toolkit.evaluation.summary import Summary, summarise
from daro_verl.toolkit.models.errors import DaroModelError
from daro_verl.toolkit.models.layout import Layout, check_layout
from daro_verl.toolkit.models.origin import weight_files

StartEngine = Callable[[Path, Settings, int, Resources], Engine]


@dataclass(frozen=True)
class Job:
    """What the command line asks for; the fields of :class:`Settings` mean the same here.

    ``in_flight``: most responses asked for at once.
    """

    checkpoint: str
    data: Path
    out: Path
    resources: Resources
    backend: str = "vllm"
    dtype: str = "bfloat16"
    temperature: float = 0.6
    top_p: float = 1.0
    top_k: int = -1
    response_tokens: int = 8192
    max_model_tokens: int = 0
    seed: int = 0
    limit: int = 0
    in_flight: int = 512


class Progress:
    """What a run tells while it runs; this one is silent."""

    def say(self, text: str) -> None:
        """One remark."""

    def begin(self, problems: list[Problem], finished: set[str]) -> None:
        """All rows, and the keys of those from before."""

    def advance(self, row: Row) -> None:
        """One more row."""


def evaluate(job: Job, progress: Progress, start_engine: StartEngine = start) -> Summary:
    """Answer what is not answered yet, and write ``report.json`` and ``report.md``.

    Raises:
        DaroEvaluationError: before any engine starts, if the model, the file or the folder does not fit.
    """
    problems = read_problems(job.data, job.limit)
    if job.temperature == 0 and (most := max(problem.num_responses for problem in problems)) > 1:
        fix = f"a temperature above 0, or a file whose {ROLLOUTS} is 1"
        raise DaroEvaluationError(got_expected_fix("--temperature 0", f"{most} equal responses", "1 each", fix))
    model = as_model(find_weights(job.checkpoint))
    renderer = Renderer(model)
    if errors := check_layout(renderer.shape, Layout(rollout_tp=job.resources.tp)).errors:
        raise DaroEvaluationError("\n".join(errors).replace("--rollout-tp", "--tp"))
    asks = [Ask(problem, renderer.render(problem.messages)) for problem in problems]
    lengths = [len(ask.prompt) for ask in asks]
    available = room(renderer.shape, max(lengths), job.response_tokens, job.max_model_tokens)
    found = remarks(lengths, available)
    for remark in found:
        progress.say(remark)
    settings = _settings(job, model, problems)
    open_folder(job.out, settings)
    with RowFile(job.out) as rows:
        progress.begin(problems, set(rows.rows))

        def on_row(row: Row) -> None:
            rows.append(row)
            progress.advance(row)

        if todo := [ask for ask in asks if ask.problem.key not in rows.rows]:
            asyncio.run(_answer(job, todo, available, renderer, settings, model, on_row, start_engine))
        summary = summarise(rows.rows[problem.key] for problem in problems)
    write_report(job.out, settings, summary, found)
    return summary


async def _answer(
    job: Job,
    todo: list[Ask],
    available: Room,
    renderer: Renderer,
    settings: Settings,
    model: Path,
    on_row: Callable[[Row], None],
    start_engine: StartEngine,
) -> None:
    engine = start_engine(model, settings, available.total, job.resources)
    try:
        await Loop(engine, available, renderer.text, job.in_flight).run(todo, on_row)
    finally:
        engine.shutdown()


def _settings(job: Job, model: Path, problems: list[Problem]) -> Settings:
    return Settings(
        model=str(model),
        weights=_weights_digest(model),
        problems=digest(problems),
        backend=job.backend,
        dtype=job.dtype,
        temperature=job.temperature,
        top_p=job.top_p,
        top_k=job.top_k,
        response_tokens=job.response_tokens,
        max_model_tokens=job.max_model_tokens,
        seed=job.seed,
        limit=job.limit,
    )


def _weights_digest(model: Path) -> str:
    """Of names, sizes and times: the same path with other weights is another model."""
    try:
        files = weight_files(model)
    except DaroModelError as error:
        raise DaroEvaluationError(str(error)) from error
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(stats).encode()).hexdigest()[:24]
