"""A model for a job: weights linked, settings rewritten, tokenizer checked, all of it or nothing."""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.models import directory as directories
from daro_verl.toolkit.models.config_file import changes, theta
from daro_verl.toolkit.models.errors import DaroModelError
from daro_verl.toolkit.models.origin import CHAT_TEMPLATE, CONFIG, TOKENIZER_CONFIG, read_json, weight_files
from daro_verl.toolkit.models.recipes import Recipe
from daro_verl.toolkit.models.shape import read_shape
from daro_verl.toolkit.models.tokenizer import check_tokenizer

FORMAT = 1  # of what is written
LARGEST_COPY = 64 << 20  # bytes; tokenizers are below, weights are linked whatever their size


def prepare(source: Path, destination: Path, recipe: Recipe) -> dict[str, Any]:
    """Make ``destination``, unless it is this very result already, and return its manifest with ``was_there``.

    Raises:
        DaroModelError: the model is incomplete or of another kind, or ``destination`` is somebody else's.
    """
    destination = destination.absolute()
    if destination.resolve() == source.resolve() or source.resolve() in destination.resolve().parents:
        raise DaroModelError(got_expected_fix("DST", str(destination), "a place outside SRC", "choose another DST"))
    directories.refuse_foreign(destination)
    before = read_json(source / CONFIG)
    after = recipe.config(before)
    weights = weight_files(source)
    fingerprint = _fingerprint(source, recipe)
    if directories.is_whole(destination, fingerprint):
        return {**(directories.manifest(destination) or {}), "was_there": True}
    with directories.Building(destination) as building:
        _fill(building, source, weights, recipe, after)
        remarks = _verify(building.directory, recipe)
        values = {"source": str(source), "recipe": asdict(recipe), "changes": changes(before, after)}
        building.finish({"fingerprint": fingerprint, **values, "remarks": remarks})
    return {**(directories.manifest(destination) or {}), "was_there": False}


def _fill(
    building: directories.Building, source: Path, weights: list[Path], recipe: Recipe, config: dict[str, Any]
) -> None:
    target = building.directory
    for file in weights:
        (target / file.name).symlink_to(file.resolve())
    written = {CONFIG, TOKENIZER_CONFIG, directories.MANIFEST}
    written |= {CHAT_TEMPLATE} if recipe.chat_template is not None else set()  # would win over ours
    for file in sorted(source.iterdir()):
        is_other = file.name not in written and file not in weights and not file.name.startswith(".")
        if is_other and file.is_file() and file.stat().st_size <= LARGEST_COPY:
            shutil.copyfile(file, target / file.name)
    building.write(CONFIG, config)
    building.write(TOKENIZER_CONFIG, recipe.tokenizer_config(read_json(source / TOKENIZER_CONFIG)))


def _verify(directory: Path, recipe: Recipe) -> list[str]:
    """Read it back as a job will."""
    shape = read_shape(directory)
    if recipe.positions is not None and shape.positions != recipe.positions:
        raise DaroModelError(
            got_expected_fix("written config.json", shape.positions, f"{recipe.positions} positions", "report it")
        )
    found = theta(read_json(directory / CONFIG))
    if recipe.theta is not None and found != recipe.theta:
        raise DaroModelError(got_expected_fix("written config.json", found, f"theta {recipe.theta}", "report it"))
    verdict = check_tokenizer(directory, shape.vocab_size, shape.eos_ids)
    if verdict.errors:
        raise DaroModelError("\n".join(verdict.errors))
    return verdict.remarks


def _fingerprint(source: Path, recipe: Recipe) -> str:
    """Of the recipe and the source's files, by size and time."""
    files = sorted(path for path in source.iterdir() if path.is_file())
    stats = [(path.name, str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps([FORMAT, asdict(recipe), stats]).encode()).hexdigest()[:24]
