"""``daro evaluate`` and ``daro compare``. See ``docs/evaluation.md``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from daro_verl.toolkit.command_line import interruptible
from daro_verl.toolkit.evaluation.evaluation_spec import EvaluationSpec, engine_arguments
from daro_verl.toolkit.evaluation.inference import Resources


def evaluate(
    checkpoint: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="verl's checkpoint, a Hugging Face model directory or a hub id.")
    ],
    data: Annotated[Path, typer.Option(help="The parquet file of `daro data test`.")],
    out: Annotated[Path, typer.Option(help="The folder of the run. An interrupted run in it goes on.")],
    backend: Annotated[Literal["vllm", "sglang"], typer.Option(help="The inference engine.")] = "vllm",
    temperature: Annotated[float, typer.Option(help="Sampling temperature; 0 is greedy.")] = EvaluationSpec.temperature,
    top_p: Annotated[float, typer.Option(help="Probability mass of nucleus sampling.")] = EvaluationSpec.top_p,
    top_k: Annotated[int, typer.Option(help="Most likely tokens to sample from; -1 for all.")] = EvaluationSpec.top_k,
    response_tokens: Annotated[int, typer.Option(help="Most tokens of a response.")] = EvaluationSpec.response_tokens,
    max_model_tokens: Annotated[
        int, typer.Option(help="Most tokens of prompt and response together; 0 for the model's limit.")
    ] = EvaluationSpec.max_model_tokens,
    dtype: Annotated[str, typer.Option(help="Number format of the weights in the engine.")] = EvaluationSpec.dtype,
    seed: Annotated[
        int, typer.Option(help="Seed of the run. Each response has its own, derived from it.")
    ] = EvaluationSpec.seed,
    limit: Annotated[int, typer.Option(help="Problems of each benchmark; 0 for all.")] = EvaluationSpec.limit,
    tp: Annotated[int, typer.Option(help="GPUs that share one copy of the weights.")] = 1,
    dp: Annotated[int, typer.Option(help="Copies of the weights; 0 for the node's GPUs divided by --tp.")] = 0,
    memory: Annotated[float, typer.Option(help="Share of a GPU's memory for the engine.")] = 0.9,
    in_flight: Annotated[int, typer.Option(help="Most responses at once; 0 for 512 per copy.")] = 0,
    engine_args: Annotated[
        str, typer.Option(metavar="JSON", help="The engine's own arguments. They override the options.")
    ] = "{}",
) -> None:
    """Answer a test file with a checkpoint, and write the figures.

    \b
    Example: daro evaluate outputs/NAME/checkpoints --data data/test.parquet --out outputs/evaluation/NAME
    """
    from daro_verl.toolkit.evaluation import run
    from daro_verl.toolkit.evaluation.progress import progress_bar
    from daro_verl.toolkit.evaluation.report_files import MARKDOWN

    spec = EvaluationSpec(
        checkpoint,
        data,
        out,
        Resources(tp, dp, memory, engine_arguments(engine_args)),
        backend=backend,
        dtype=dtype,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        response_tokens=response_tokens,
        max_model_tokens=max_model_tokens,
        seed=seed,
        limit=limit,
        in_flight=in_flight,
    ).resolved()
    with interruptible("Run the same command again to go on from the last finished row."), progress_bar() as progress:
        run.evaluate(spec, progress)
    print((out / MARKDOWN).read_text(), end="")


def compare(
    run: Annotated[list[str], typer.Argument(metavar="[NAME=]FOLDER", help="The --out of each finished evaluation.")],
    out: Annotated[Path | None, typer.Option(help="A Markdown file to write as well.")] = None,
) -> None:
    """Compare finished runs side by side, each with the first.

    \b
    Example: daro compare grpo=outputs/evaluation/A daro=outputs/evaluation/B
    """
    from daro_verl.atomic import write_atomically
    from daro_verl.toolkit.evaluation.compare import comparison, read_run

    text = comparison([read_run(argument) for argument in run])
    print(text, end="")
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, text)
