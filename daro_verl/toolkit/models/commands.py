"""``daro models prepare | check``. See ``docs/models.md``."""

from pathlib import Path
from typing import Annotated

import typer

from daro_verl.toolkit.command_line import one_of
from daro_verl.toolkit.models.families import FAMILIES

app = typer.Typer(no_args_is_help=True, help="Prepare and check the model directory of a job.")
MODEL = "A model's directory, or a hub id."


@app.command("prepare")
def prepare_model(
    source: Annotated[str, typer.Argument(metavar="SRC", help=MODEL)],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="The new directory.")],
    recipe: Annotated[
        str,
        typer.Option(
            callback=one_of(["auto", *FAMILIES]),
            metavar="NAME",
            help=f"The changes to make: {', '.join(FAMILIES)}. auto chooses by the model's type.",
        ),
    ] = "auto",
    rope_theta: Annotated[float | None, typer.Option(help="New rotary base. Default: 40000 for qwen2.5-math.")] = None,
    positions: Annotated[
        int | None, typer.Option(min=1, help="New limit of tokens. Default: 16384 for qwen2.5-math.")
    ] = None,
    from_theta: Annotated[
        float | None, typer.Option(help="Rotary base that SRC must have. Default: 10000 for qwen2.5-math.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of SRC on the hub.")] = None,
) -> None:
    """Link the weights of a model, and rewrite its settings.

    \b
    Example: daro models prepare Qwen/Qwen2.5-Math-7B models/qwen2.5-math-7b-16k
    """
    from daro_verl.toolkit.models.families import choose_family
    from daro_verl.toolkit.models.origin import CONFIG, read_json, resolve
    from daro_verl.toolkit.models.prepare import prepare, refuse_other_template

    directory = resolve(source, revision)
    given = {"theta": rope_theta, "positions": positions, "from_theta": from_theta}
    family = choose_family(recipe, read_json(directory / CONFIG), given)
    if recipe == "auto":
        refuse_other_template(family, directory)
    result = prepare(directory, destination, family)
    for key, (old, new) in result["changes"].items():
        print(f"config.json: {key} {old} -> {new}")
    for remark in result["remarks"]:
        print(f"note: {remark}")
    state = "was there already" if result["was_there"] else f"is {directory.name} with the changes of {family.name}"
    print(f"{destination} {state}")


@app.command("check")
def check_model(
    model: Annotated[str, typer.Argument(metavar="DIR", help=MODEL)],
    tp: Annotated[int, typer.Option(min=1, help="Tensor parallelism of the actor.")] = 1,
    pp: Annotated[int, typer.Option(min=1, help="Pipeline parallelism of the actor.")] = 1,
    rollout_tp: Annotated[int, typer.Option(min=1, help="Tensor parallelism of a rollout server.")] = 1,
    prompt: Annotated[int, typer.Option(min=1, help="Longest prompt in tokens (data.max_prompt_length).")] = 1024,
    response: Annotated[int, typer.Option(min=1, help="Longest response in tokens (data.max_response_length).")] = 8192,
) -> None:
    """Check that a model fits a parallel layout. If it does not, the exit code is 2.

    \b
    Example: daro models check models/qwen2.5-math-7b-16k --tp 2 --rollout-tp 1 --prompt 1024 --response 8192
    """
    from daro_verl.errors import DaroConfigError
    from daro_verl.toolkit.models.layout import Layout, check_layout
    from daro_verl.toolkit.models.origin import resolve
    from daro_verl.toolkit.models.shape import read_shape
    from daro_verl.toolkit.models.tokenizer import check_tokenizer

    directory = resolve(model)
    shape, layout = read_shape(directory), Layout(tp, pp, rollout_tp, prompt, response)
    checks = check_layout(shape, layout), check_tokenizer(directory, shape.vocab_size, shape.eos_ids)
    for remark in (remark for check in checks for remark in check.remarks):
        print(f"note: {remark}")
    if errors := [error for check in checks for error in check.errors]:
        raise DaroConfigError.of(errors)
    sizes = f"{shape.num_layers} layers, {shape.num_heads} heads, {shape.num_kv_heads} KV heads"
    print(f"{directory.name} ({sizes}, vocabulary {shape.vocab_size}, {shape.positions} positions) fits {layout}")
