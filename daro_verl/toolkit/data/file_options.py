"""Check the options of ``daro data``, and turn them into a DatasetSpec."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.data.dataset_spec import DatasetSpec
from daro_verl.toolkit.data.problem import PromptStyle, Source
from daro_verl.toolkit.data.raw_rows import local_files, own_system
from daro_verl.toolkit.data.sources import SOURCES
from daro_verl.toolkit.data.sources.gym import parse_task, source


@dataclass(frozen=True)
class FileOptions:
    """The options of every kind of file; see ``daro data train --help``. None means not given."""

    out: Path
    split: Literal["train", "test"]
    tests: Sequence[Path] | None
    no_test: bool
    local: Sequence[str] | None
    splits: Sequence[str] | None
    revision: Sequence[str] | None
    system: str | None
    system_from: str | None
    suffix: str | None
    limit: int | None
    overwrite: bool


def dataset_spec(sources: Sequence[Source], options: FileOptions, arguments: Any = None) -> DatasetSpec:
    """The spec of the file that the options describe.

    Args:
        arguments: the arguments of generated tasks; see :class:`DatasetSpec`.

    Raises:
        DaroConfigError: options contradict each other, or a file does not exist.
    """
    if options.out.suffix != ".parquet":
        raise DaroConfigError("--out", got=str(options.out), expected="a name that ends in .parquet", fix="rename it")
    if duplicates := sorted(name for name, count in Counter(item.name for item in sources).items() if count > 1):
        fix = "name each source once; write the same task with other knobs into another file"
        raise DaroConfigError("sources", got=duplicates, expected="each source once", fix=fix)
    local = {name: Path(path) for name, path in _pairs(options.local, "--local").items()}
    _check_names({source.name for source in sources if source.rows is None}, options, set(local))
    for path in local.values():
        local_files(path)
    if options.split == "train" and not options.tests and not options.no_test:
        fix = "write the test file first and name it, or pass --no-test"
        raise DaroConfigError("--test", got="nothing", expected="the files that may not be trained on", fix=fix)
    return DatasetSpec(
        tuple(sources),
        options.out,
        options.split,
        PromptStyle(_system(options, local), options.suffix),
        local,
        tuple(options.tests or ()),
        arguments,
        limit=options.limit,
        overwrite=options.overwrite,
    )


def named_sources(names: Sequence[str], options: FileOptions) -> list[Source]:
    """Data sets by their names, with the given splits and revisions."""
    splits, revisions = _pairs(options.splits, "--splits"), _pairs(options.revision, "--revision")
    chosen = [replace(SOURCES[name], revision=revisions.get(name)) for name in names]
    return [
        replace(item, splits=tuple(splits[item.name].split("+"))) if item.name in splits else item for item in chosen
    ]


def gym_sources(tasks: Sequence[str], size: int, seed: int, rollouts: int) -> list[Source]:
    """reasoning-gym's tasks, each as a source."""
    return [source(parse_task(text, size, seed), rollouts) for text in tasks]


def _check_names(names: set[str], options: FileOptions, local: set[str]) -> None:
    """Refuse an option that names a source which it cannot apply to. A local file has neither splits nor revisions."""
    with_system = names | set(filter(None, [options.system_from]))
    splits, revisions = _pairs(options.splits, "--splits"), _pairs(options.revision, "--revision")
    for option, given, allowed, kind in (
        ("--local", local, with_system, ""),
        ("--splits", set(splits), names - local, " from the hub"),
        ("--revision", set(revisions), with_system - local, " from the hub"),
    ):
        if unknown := sorted(given - allowed):
            fix = f"name one of {', '.join(sorted(allowed))}" if allowed else "leave it out"
            if option != "--local" and set(unknown) <= local:
                fix = "leave it out: --local names the files to read"
            raise DaroConfigError(option, got=unknown, expected=f"sources of this file{kind}", fix=fix)


def _system(options: FileOptions, local: dict[str, Path]) -> str | None:
    """The system message: the given one, or a data set's own; None if neither option is given."""
    name = options.system_from
    if name is None:
        return options.system
    if options.system is not None:
        fix = "remove one of them"
        raise DaroConfigError("--system-from", got=name, expected="no --system beside it", fix=fix)
    revision = _pairs(options.revision, "--revision").get(name)
    return own_system(replace(SOURCES[name], revision=revision), local.get(name))


def _pairs(arguments: Sequence[str] | None, option: str) -> dict[str, str]:
    """The ``NAME=VALUE`` arguments of an option, as a mapping."""
    pairs: dict[str, str] = {}
    for argument in arguments or ():
        name, separator, value = argument.partition("=")
        if not separator or not value or name in pairs:
            fix = f"write {option} math=..."
            raise DaroConfigError(option, got=argument, expected="NAME=VALUE, each name once", fix=fix)
        pairs[name] = value
    return pairs
