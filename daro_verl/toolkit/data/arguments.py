"""The command line of ``python -m daro_verl.toolkit.data``, as a job."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.data.errors import DaroDataError
from daro_verl.toolkit.data.job import Job
from daro_verl.toolkit.data.loading import local_files, own_system
from daro_verl.toolkit.data.problem import Source
from daro_verl.toolkit.data.prompts import Asking
from daro_verl.toolkit.data.sources import BENCHMARKS, SOURCES, TRAINING
from daro_verl.toolkit.data.sources.gym import parse_task, source


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(
        prog="python -m daro_verl.toolkit.data", description="Parquet files for verl. docs/data.md"
    )
    commands = main.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="a training file")
    train.add_argument("source", nargs="+", choices=sorted(TRAINING), help="in the order of their rows")
    _tests(train)
    test = commands.add_parser("test", help="a validation file; all six benchmarks if none is named")
    test.add_argument("source", nargs="*", choices=[*sorted(BENCHMARKS), []], help="benchmarks")
    gym = commands.add_parser("gym", help="a file of reasoning-gym tasks")
    gym.add_argument("--task", action="append", required=True, metavar="NAME[:JSON]", help="task and its knobs")
    gym.add_argument("--size", type=_positive, default=1000, help="entries of each task (%(default)s)")
    gym.add_argument("--seed", type=int, default=0, help="of the generators (%(default)s)")
    gym.add_argument("--split", choices=("train", "test"), default="train", help="(%(default)s)")
    gym.add_argument("--rollouts", type=_positive, default=1, help="responses to a row of a test file (%(default)s)")
    _tests(gym)
    for command in (train, test, gym):
        _common(command)
    commands.add_parser("sources", help="list the data sets")
    return main


def job(options: argparse.Namespace) -> Job:
    """The job that the arguments ask for.

    Raises:
        DaroDataError: they contradict each other, or a file does not exist.
    """
    split: Literal["train", "test"] = options.split if options.command == "gym" else options.command
    if options.out.suffix != ".parquet":
        raise DaroDataError(got_expected_fix("--out", str(options.out), "a name that ends in .parquet", "rename it"))
    local = _pairs(options.local, "--local")
    sources = _sources(options, local)
    duplicates = {item.name for item in sources if [other.name for other in sources].count(item.name) > 1}
    if duplicates:
        fix = "name each once; the same task with other knobs goes into another file"
        raise DaroDataError(got_expected_fix("sources", sorted(duplicates), "each source once", fix))
    paths = {name: Path(path) for name, path in local.items()}
    for path in paths.values():
        local_files(path)
    tests = tuple(getattr(options, "test", None) or ())
    if split == "train" and not tests and not options.no_test:
        fix = "write the test file first and name it, or say --no-test"
        raise DaroDataError(got_expected_fix("--test", "nothing", "the files that may not be trained on", fix))
    system = options.system
    if options.system_from:
        revision = _pairs(getattr(options, "revision", []), "--revision").get(options.system_from)
        system = own_system(replace(SOURCES[options.system_from], revision=revision), paths.get(options.system_from))
    return Job(
        sources,
        options.out,
        split,
        Asking(system, options.suffix),
        paths,
        tests,
        arguments=(options.task, options.size, options.seed) if options.command == "gym" else None,
        limit=options.limit,
        overwrite=options.overwrite,
    )


def _sources(options: argparse.Namespace, local: dict[str, str]) -> tuple[Source, ...]:
    if options.command == "gym":
        tasks = [parse_task(text, options.size, options.seed) for text in options.task]
        return tuple(source(task, options.rollouts) for task in tasks)
    names = options.source or list(BENCHMARKS)
    splits, revisions = _pairs(options.splits, "--splits"), _pairs(options.revision, "--revision")
    with_system = {*names, options.system_from}
    allowances = [("--local", local, with_system), ("--splits", splits, set(names))]
    for option, given, allowed in [*allowances, ("--revision", revisions, with_system - set(local))]:
        if unknown := set(given) - allowed:
            fix = f"name one of {', '.join(names)}"
            raise DaroDataError(got_expected_fix(option, sorted(unknown), "sources of this file", fix))
    chosen = [replace(SOURCES[name], revision=revisions.get(name)) for name in names]
    return tuple(
        replace(item, splits=tuple(splits[item.name].split("+"))) if item.name in splits else item for item in chosen
    )


def _pairs(arguments: Sequence[str], option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for argument in arguments:
        name, separator, value = argument.partition("=")
        if not separator or not value or name in pairs:
            raise DaroDataError(
                got_expected_fix(option, argument, "NAME=VALUE, each name once", f"write {option} math=...")
            )
        pairs[name] = value
    return pairs


def _tests(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--test", type=Path, action="append", help="problems of this file are dropped; repeatable")
    parser.add_argument("--no-test", action="store_true", help="there is no test file")


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="the parquet file; its report goes beside it")
    parser.add_argument("--local", action="append", default=[], metavar="SOURCE=PATH", help="instead of the hub")
    parser.add_argument("--splits", action="append", default=[], metavar="SOURCE=A+B", help="of the hub's data set")
    parser.add_argument("--revision", action="append", default=[], metavar="SOURCE=COMMIT", help="branch, tag or "
                        "commit of the hub's data set")  # fmt: skip
    system = parser.add_mutually_exclusive_group()
    system.add_argument("--system", help="system message of every row; the empty string for none")
    system.add_argument("--system-from", choices=sorted(SOURCES), help="the system message that this data set has")
    parser.add_argument("--suffix", help="follows each problem; by default a sentence that asks for a box, or nothing "
                        "where there is a system message")  # fmt: skip
    parser.add_argument("--limit", type=_positive, help="raw rows of each source")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that this command wrote")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"got {text}, expected a positive number")
    return value
