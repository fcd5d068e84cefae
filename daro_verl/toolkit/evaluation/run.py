"""One run: from a checkpoint and a test file to the figures. An interrupted run goes on later."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.data.parquet_file import ROLLOUTS
from daro_verl.toolkit.evaluation.answering import AnsweringLoop, RenderedProblem
from daro_verl.toolkit.evaluation.benchmark_file import check_scorers, digest, read_problems
from daro_verl.toolkit.evaluation.checkpoint import find_weights
from daro_verl.toolkit.evaluation.convert import as_model
from daro_verl.toolkit.evaluation.evaluation_spec import EvaluationSpec
from daro_verl.toolkit.evaluation.inference import Engine, Resources, start_engine
from daro_verl.toolkit.evaluation.launches import Launch, add_launch, read_launches
from daro_verl.toolkit.evaluation.progress import Progress
from daro_verl.toolkit.evaluation.rendering import Renderer, TokenBudget, remarks, token_budget
from daro_verl.toolkit.evaluation.report_files import write_report
from daro_verl.toolkit.evaluation.row_file import Row, RowFile
from daro_verl.toolkit.evaluation.settings import WORK, Settings, open_folder
from daro_verl.toolkit.evaluation.summary import Summary, summarise
from daro_verl.toolkit.models.layout import Layout, check_layout
from daro_verl.toolkit.models.origin import weight_files

StartEngine = Callable[[Path, Settings, int, Resources], Engine]


def evaluate(spec: EvaluationSpec, progress: Progress, start: StartEngine = start_engine) -> Summary:
    """Answer the remaining rows, and write ``report.json`` and ``report.md``.

    Raises:
        DaroError: the model, the file or the folder does not fit. This comes before any engine starts.
    """
    problems = read_problems(spec.data, spec.limit)
    check_scorers(problems)
    if spec.temperature == 0 and (most := max(problem.num_responses for problem in problems)) > 1:
        fix = f"set a temperature above 0, or use a file whose {ROLLOUTS} is 1"
        raise DaroConfigError("--temperature 0", got=f"{most} equal responses", expected="1 each", fix=fix)
    model = as_model(find_weights(spec.checkpoint))
    renderer = Renderer(model)
    if errors := check_layout(renderer.shape, Layout(rollout_tp=spec.resources.tp)).errors:
        raise DaroConfigError("\n".join(errors).replace("--rollout-tp", "--tp"))
    rendered = [RenderedProblem(problem, renderer.render(problem.messages)) for problem in problems]
    lengths = [len(item.prompt) for item in rendered]
    budget = token_budget(renderer.shape, max(lengths), spec.response_tokens, spec.max_model_tokens)
    found = remarks(lengths, budget)
    for remark in found:
        progress.say(remark)
    settings = _settings(spec, model, rendered)
    open_folder(spec.out, settings)
    with RowFile(spec.out) as rows:
        progress.begin(problems, set(rows.rows))

        def on_row(row: Row) -> None:
            rows.append(row)
            progress.advance(row)

        if todo := [item for item in rendered if item.problem.key not in rows.rows]:
            asyncio.run(_answer(spec, todo, budget, renderer, settings, model, on_row, start))
        summary = summarise(rows.rows[problem.key] for problem in problems)
    write_report(spec.out, settings, summary, read_launches(spec.out), found)
    return summary


async def _answer(
    spec: EvaluationSpec,
    todo: list[RenderedProblem],
    budget: TokenBudget,
    renderer: Renderer,
    settings: Settings,
    model: Path,
    on_row: Callable[[Row], None],
    start: StartEngine,
) -> None:
    engine = start(model, settings, budget.total, spec.resources)
    try:
        add_launch(spec.out, Launch(spec.backend, engine.version, spec.resources.tp, spec.resources.dp))
        await AnsweringLoop(engine, budget, renderer.text, spec.in_flight, spec.seed).run(todo, on_row)
    finally:
        engine.shutdown()


def _settings(spec: EvaluationSpec, model: Path, rendered: list[RenderedProblem]) -> Settings:
    changing = {name: value for name, value in spec.resources.extra.items() if name not in WORK}
    return Settings(
        model=str(model),
        weights=_weights_digest(model),
        problems=digest([item.problem for item in rendered]),
        backend=spec.backend,
        dtype=spec.dtype,
        temperature=spec.temperature,
        top_p=spec.top_p,
        top_k=spec.top_k,
        response_tokens=spec.response_tokens,
        max_model_tokens=spec.max_model_tokens,
        seed=spec.seed,
        limit=spec.limit,
        prompts=_digest(sorted((item.problem.key, item.prompt) for item in rendered)),
        engine_args=json.dumps(changing, sort_keys=True),
    )


def _weights_digest(model: Path) -> str:
    """A digest of the weight files' names, sizes and times. The same path with other weights is another model."""
    files = weight_files(model)
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return _digest(stats)


def _digest(values: list[Any]) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()[:24]
