"""The runs that the user named, and which of them are seeds of one method."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from daro_verl.errors import DaroConfigError

# `grpo-seed1`, `grpo_seed_1`, `grpo.seed=1`: the seed is the end of a name, after a separator, or the whole name
SEED = re.compile(r"^(?:(?P<method>.+?)[-_. ])?seed[-_.=]?(?P<seed>\d+)$", re.IGNORECASE)


@dataclass(frozen=True)
class RunSource:
    """One run to read.

    - ``path``: its directory or its only log file;
    - ``method``: runs of one method are its seeds, and figures average over them;
    - ``name``: unique among the runs of a report, without folders.
    """

    path: Path
    method: str
    name: str


def parse_sources(arguments: Sequence[str]) -> list[RunSource]:
    """``[LABEL=]PATH`` arguments as runs. If the whole argument is an existing path, it is a path, even with a ``=``.

    The method is ``LABEL``, or the name of the directory without its seed (``grpo-seed1`` is ``grpo``). A directory
    that is only a seed (``grpo/seed1``) has its parent's name.

    Raises:
        DaroConfigError: a path does not exist, or is given twice, or a label is empty.
    """
    sources = [_parse(argument) for argument in arguments]
    times = Counter(source.path.resolve() for source in sources)
    for path, count in times.items():
        if count > 1:
            got, fix = f"{count} times the same directory", "name every seed's own directory"
            why = "A run that counts twice would make the band over seeds too narrow."
            raise DaroConfigError(f"run {path.name}", got=got, expected="each run once", fix=f"{fix}. {why}")
    return _unique_names(sources)


def _parse(argument: str) -> RunSource:
    label, separator, rest = argument.partition("=")
    if Path(argument).exists() or not separator:
        label, rest = "", argument
    elif not label.strip():
        raise DaroConfigError("run", got=argument, expected="LABEL=PATH", fix="write a label before the =")
    path = Path(os.path.abspath(rest))  # not resolved: a link's own name is the label
    if not rest or not path.exists():
        fix = "name the directory that holds the job's logs (VERL_FILE_LOGGER_PATH, TENSORBOARD_DIR)"
        raise DaroConfigError("run", got=rest, expected="an existing directory or log file", fix=fix)
    name = printable(path.stem if path.is_file() else path.name)
    return RunSource(path, printable(label.strip()) or default_label(name, printable(path.parent.name)), name or "run")


def printable(text: str) -> str:
    """A name that every file and figure can show. Control characters and broken encodings become a question mark.

    A leading underscore gets a space before it, because matplotlib would leave the name out of the legend.
    """
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return f" {text}" if text.startswith("_") else text


def default_label(name: str, parent: str) -> str:
    """The method of a run in the directory ``parent/name``."""
    match = SEED.match(name)
    if match is None:
        return name or "run"
    return match["method"] or parent or name


def _unique_names(sources: Sequence[RunSource]) -> list[RunSource]:
    """Make names unique. A repeated name gets its parent directory in front, and a number if that is not enough."""
    times = Counter(source.name for source in sources)
    longer = [
        replace(source, name=f"{printable(source.path.parent.name)}/{source.name}")
        if times[source.name] > 1
        else source
        for source in sources
    ]
    seen: Counter[str] = Counter()
    unique = []
    for source in longer:
        seen[source.name] += 1
        number = seen[source.name]
        unique.append(replace(source, name=f"{source.name} ({number})") if number > 1 else source)
    return unique
