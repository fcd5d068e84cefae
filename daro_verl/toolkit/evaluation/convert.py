"""Convert shards to Hugging Face weights, once, with verl's own ``verl.model_merger``."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from filelock import FileLock

from daro_verl.errors import DaroDataError
from daro_verl.toolkit.evaluation.checkpoint import HUGGINGFACE, SavedModel, has_weights
from daro_verl.toolkit.models.origin import read_json
from daro_verl.toolkit.models.rotary import write_both_forms

MARK = "daro_conversion.json"
_LAST_WORDS = 2000  # characters of the merger's output in an error


def as_model(weights: SavedModel) -> Path:
    """A model directory: the weights' own. For shards, the first call makes ``actor_huggingface`` beside ``actor``.

    The new directory appears in one rename, and is made again if the shards change. Its parameters are bfloat16, as
    the merger writes them and rollouts use them. A directory that verl wrote gets both forms of the rotary embeddings
    in its ``config.json``, so that you can use it as a model elsewhere. Other models do not change.

    Raises:
        DaroDataError: the merger failed, or a directory of that name exists that this command did not make.
    """
    if weights.kind == "hf":
        if weights.directory.name == HUGGINGFACE:
            write_both_forms(weights.directory)
        return weights.directory
    actor = weights.directory
    target = actor.with_name(f"{actor.name}_huggingface")
    stamp = {"shards": _shards(weights)}
    if _is_converted(target, stamp):  # perhaps on a disk that this user cannot write
        return target
    with FileLock(actor.with_name(f".{target.name}.lock")):  # another evaluation of the same checkpoint waits here
        if target.exists():
            if not (target / MARK).is_file():
                fix = "move the directory away"
                raise DaroDataError(str(target), got="files of another program", expected="nothing", fix=fix)
            if _is_converted(target, stamp):
                return target
            shutil.rmtree(target)
        partial = actor.with_name(f".{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)  # of a conversion that was killed
        try:
            _merge(weights, partial)
            write_both_forms(partial)
            (partial / MARK).write_text(json.dumps(stamp))
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def _is_converted(target: Path, stamp: Any) -> bool:
    return (target / MARK).is_file() and read_json(target / MARK) == stamp


def _merge(weights: SavedModel, target: Path) -> None:
    """Merge in a separate process, because the merger for Megatron initialises torch.distributed."""
    command = [sys.executable, "-m", "verl.model_merger", "merge", "--backend", weights.kind]
    command += ["--local_dir", str(weights.directory), "--target_dir", str(target)]
    if weights.kind == "megatron":
        command.append("--use_cpu_initialization")
        if read_json(weights.directory / "model" / "huggingface" / "config.json").get("tie_word_embeddings"):
            command.append("--tie-word-embedding")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode or not has_weights(target):
        fix = f"run it by hand: {' '.join(command)}"
        got = f"exit code {done.returncode}: ...{done.stdout[-_LAST_WORDS:]}"
        raise DaroDataError("verl.model_merger", got=got, expected="a converted model", fix=fix)


def _shards(weights: SavedModel) -> list[list[object]]:
    files = (
        weights.directory.glob("model_world_size_*.pt")
        if weights.kind == "fsdp"
        else (weights.directory / "model" / "dist_ckpt").iterdir()
    )
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in sorted(files)]
