"""``python -m daro_verl.toolkit.models prepare | check``. See ``docs/models.md``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from daro_verl.toolkit.models.errors import DaroModelError
from daro_verl.toolkit.models.layout import Layout, check_layout
from daro_verl.toolkit.models.origin import CONFIG, read_json, resolve
from daro_verl.toolkit.models.prepare import prepare
from daro_verl.toolkit.models.recipes import RECIPES, choose
from daro_verl.toolkit.models.shape import read_shape
from daro_verl.toolkit.models.tokenizer import check_tokenizer


def main(arguments: Sequence[str] | None = None) -> int:
    """0: done, or it fits. 2: wrong arguments, a model that is not whole, or one that does not fit."""
    options = _parser().parse_args(arguments)
    try:
        return _prepare(options) if options.command == "prepare" else _check(options)
    except DaroModelError as error:
        print(error, file=sys.stderr)
        return 2


def _prepare(options: argparse.Namespace) -> int:
    source = resolve(options.source, options.revision)
    given = {"theta": options.rope_theta, "positions": options.positions, "from_theta": options.from_theta}
    recipe = choose(options.recipe, read_json(source / CONFIG), given)
    result = prepare(source, options.destination, recipe)
    for key, (old, new) in result["changes"].items():
        print(f"config.json: {key} {old} -> {new}")
    for remark in result["remarks"]:
        print(f"note: {remark}")
    state = "was there already" if result["was_there"] else f"is {source.name}, as {recipe.name}"
    print(f"{options.destination} {state}")
    return 0


def _check(options: argparse.Namespace) -> int:
    directory = resolve(options.directory)
    shape = read_shape(directory)
    layout = Layout(options.tp, options.pp, options.rollout_tp, options.prompt, options.response)
    fit = check_layout(shape, layout)
    verdict = check_tokenizer(directory, shape.vocab_size, shape.eos_ids)
    for remark in fit.remarks + verdict.remarks:
        print(f"note: {remark}")
    errors = fit.errors + verdict.errors
    for error in errors:
        print(error, file=sys.stderr)
    if not errors:
        sizes = f"{shape.num_layers} layers, {shape.num_heads} heads, {shape.num_kv_heads} KV heads"
        print(f"{directory.name} ({sizes}, vocabulary {shape.vocab_size}, {shape.positions} positions) fits {layout}")
    return 2 if errors else 0


def _parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(prog="python -m daro_verl.toolkit.models", description="Model directories for verl")
    commands = main.add_subparsers(dest="command", required=True)
    prepare = commands.add_parser("prepare", help="link the weights, rewrite the settings")
    prepare.add_argument("source", metavar="SRC", help="a model's directory, or a hub id")
    prepare.add_argument("destination", metavar="DST", type=Path, help="the new directory")
    prepare.add_argument("--recipe", choices=("auto", *RECIPES), default="auto", help="by the model's type (auto)")
    prepare.add_argument("--rope-theta", type=float, help="new base, 40000 for qwen2.5-math")
    prepare.add_argument("--positions", type=_positive, help="new limit, 16384 for qwen2.5-math")
    prepare.add_argument("--from-theta", type=float, help="base that the model must have, 10000 for qwen2.5-math")
    prepare.add_argument("--revision", help="of the hub's repository")
    check = commands.add_parser("check", help="does a model fit a parallel layout?")
    check.add_argument("directory", metavar="DIR", help="a model's directory, or a hub id")
    for name, text in (("--tp", "tensor parallelism of the actor"), ("--pp", "its pipeline parallelism")):
        check.add_argument(name, type=_positive, default=1, help=f"{text} (%(default)s)")
    check.add_argument("--rollout-tp", type=_positive, default=1, help="tensor parallelism of a server (%(default)s)")
    check.add_argument("--prompt", type=_positive, default=1024, help="data.max_prompt_length (%(default)s)")
    check.add_argument("--response", type=_positive, default=8192, help="data.max_response_length (%(default)s)")
    return main


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"got {text}, expected a positive number")
    return value


if __name__ == "__main__":
    sys.exit(main())
