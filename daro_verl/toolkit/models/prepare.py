"""Prepare a model for a job: link weights, rewrite settings, check the tokenizer. It does all of this, or nothing."""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daro_verl.errors import DaroDataError
from daro_verl.toolkit.models import directory as directories
from daro_verl.toolkit.models.families import Family, changes, theta
from daro_verl.toolkit.models.origin import CHAT_TEMPLATE, CONFIG, TOKENIZER_CONFIG, read_json, weight_files
from daro_verl.toolkit.models.shape import read_shape
from daro_verl.toolkit.models.tokenizer import check_tokenizer

FORMAT = 1  # version of the format
LARGEST_COPY = 64 << 20  # bytes; a tokenizer's files are smaller. Weights are linked, whatever their size


def prepare(source: Path, destination: Path, family: Family) -> dict[str, Any]:
    """Make ``destination``, unless it is already this result, and return its manifest with ``was_there``.

    Raises:
        DaroDataError: the model is incomplete or of another kind, or this command did not make ``destination``.
    """
    destination = destination.absolute()
    if destination.resolve() == source.resolve() or source.resolve() in destination.resolve().parents:
        raise DaroDataError("DST", got=str(destination), expected="a place outside SRC", fix="choose another DST")
    directories.refuse_foreign(destination)
    before = read_json(source / CONFIG)
    after = family.config(before)
    weights = weight_files(source)
    fingerprint = _fingerprint(source, family)
    if directories.is_whole(destination, fingerprint):
        return {**(directories.manifest(destination) or {}), "was_there": True}
    with directories.NewDirectory(destination) as new:
        _fill(new, source, weights, family, after)
        remarks = _verify(new.directory, family)
        values = {"source": str(source), "recipe": asdict(family), "changes": changes(before, after)}
        new.finish({"fingerprint": fingerprint, **values, "remarks": remarks})
    return {**(directories.manifest(destination) or {}), "was_there": False}


def refuse_other_template(family: Family, source: Path) -> None:
    """Refuse to replace the chat template with which a model was trained, unless the family was chosen by name.

    Raises:
        DaroDataError: the family has a template, and the model has another one.
    """
    settings = read_json(source / TOKENIZER_CONFIG) if (source / TOKENIZER_CONFIG).is_file() else {}
    file = source / CHAT_TEMPLATE  # it wins
    template = file.read_text() if file.is_file() else settings.get("chat_template")
    if family.chat_template is not None and template and template != family.chat_template:
        expected = f"a base model without one, for the changes of {family.name}"
        fix = f"use the model as it is, or pass --recipe {family.name} to replace its template"
        raise DaroDataError(f"{source.name}: chat template", got="its own", expected=expected, fix=fix)


def _fill(
    new: directories.NewDirectory, source: Path, weights: list[Path], family: Family, config: dict[str, Any]
) -> None:
    target = new.directory
    for file in weights:
        (target / file.name).symlink_to(file.resolve())
    written = {CONFIG, TOKENIZER_CONFIG, directories.MANIFEST}
    written |= {CHAT_TEMPLATE} if family.chat_template is not None else set()  # the source's would win over ours
    for file in sorted(source.iterdir()):
        is_other = file.name not in written and file not in weights and not file.name.startswith(".")
        if is_other and file.is_file() and file.stat().st_size <= LARGEST_COPY:
            shutil.copyfile(file, target / file.name)
    new.write(CONFIG, config)
    new.write(TOKENIZER_CONFIG, family.tokenizer_config(read_json(source / TOKENIZER_CONFIG)))


def _verify(directory: Path, family: Family) -> list[str]:
    """Read the directory back as a job will, and return the remarks on its tokenizer."""
    shape = read_shape(directory)
    if family.positions is not None and shape.positions != family.positions:
        raise DaroDataError(
            "written config.json", got=shape.positions, expected=f"{family.positions} positions", fix="report it"
        )
    found = theta(read_json(directory / CONFIG))
    if family.theta is not None and found != family.theta:
        raise DaroDataError("written config.json", got=found, expected=f"theta {family.theta}", fix="report it")
    verdict = check_tokenizer(directory, shape.vocab_size, shape.eos_ids)
    if verdict.errors:
        raise DaroDataError("\n".join(verdict.errors))
    return verdict.remarks


def _fingerprint(source: Path, family: Family) -> str:
    """A digest of the family's settings and the source's files, by size and time."""
    files = sorted(path for path in source.iterdir() if path.is_file())
    stats = [(path.name, str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps([FORMAT, asdict(family), stats]).encode()).hexdigest()[:24]
