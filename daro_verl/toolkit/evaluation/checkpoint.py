"""Find the Hugging Face weights of ``CHECKPOINT``, or the shards that must be converted first.

verl 0.9.1 (``megatron_checkpoint_manager.py``, ``fsdp_checkpoint_manager.py``) writes these in
``<default_local_dir>/global_step_N/actor``:

- Megatron with a bridge (verl's default): the whole model in ``model/huggingface``, whether or not ``save_contents``
  has ``hf_model``;
- Megatron with ``use_dist_checkpointing=True``: shards in ``model/dist_ckpt``, and ``model/huggingface`` if
  ``save_contents`` has ``hf_model``;
- FSDP and FSDP2: ``model_world_size_W_rank_R.pt`` and ``fsdp_config.json``. ``huggingface`` has the configuration and
  tokenizer, and with ``hf_model`` the weights too.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daro_verl.errors import DaroDataError
from daro_verl.toolkit.models.origin import CONFIG, WEIGHTS, resolve

HUGGINGFACE = "huggingface"  # the name that verl gives to a model directory
LATEST = "latest_checkpointed_iteration.txt"
_ADAPTERS = ("lora_train_meta.json", "lora_adapter", "model/huggingface/adapter", "huggingface/adapter")


@dataclass(frozen=True)
class SavedModel:
    """``hf``: ``directory`` is a model directory. ``fsdp``, ``megatron``: an actor's directory with shards to merge."""

    kind: Literal["hf", "fsdp", "megatron"]
    directory: Path


def find_weights(checkpoint: str) -> SavedModel:
    """Find the weights of a checkpoint.

    Args:
        checkpoint: a model directory, a hub id (downloaded if necessary), an actor's directory, a ``global_step_N``, or
            a ``trainer.default_local_dir`` (its latest checkpoint).

    Raises:
        DaroDataError: there are no weights, or there are adapters, which an engine would silently leave out.
    """
    path = Path(checkpoint)
    if not path.is_dir():
        return SavedModel("hf", resolve(checkpoint))
    path = path.resolve()
    if (path / LATEST).is_file():
        path = path / f"global_step_{(path / LATEST).read_text().strip()}"
    if (path / "actor").is_dir():
        path = path / "actor"
    if adapters := [name for name in _ADAPTERS if (path / name).exists()]:
        fix = "merge the adapter into the model with peft's merge_and_unload, and name that model"
        raise DaroDataError(str(path), got=f"LoRA ({adapters[0]})", expected="whole weights", fix=fix)
    for directory in (path, path / "model" / HUGGINGFACE, path / HUGGINGFACE):
        if has_weights(directory):
            return SavedModel("hf", directory)
    return _shards(path)


def has_weights(directory: Path) -> bool:
    """Whether a directory is a model directory with weights."""
    return (directory / CONFIG).is_file() and any(file.suffix in WEIGHTS for file in directory.iterdir())


def _shards(path: Path) -> SavedModel:
    if (path / "fsdp_config.json").is_file():
        size = json.loads((path / "fsdp_config.json").read_bytes())["world_size"]
        names = [f"model_world_size_{size}_rank_{rank}.pt" for rank in range(size)]
        if missing := [name for name in names if not (path / name).is_file()]:
            got = f"{size - len(missing)} of {size} shards, without {missing[0]}"
            fix = "copy the checkpoint from every node; it must have been saved with 'model' in save_contents"
            raise DaroDataError(str(path), got=got, expected="all shards of the model", fix=fix)
        return SavedModel("fsdp", path)
    shards = path / "model" / "dist_ckpt"
    if shards.is_dir() and any(shards.iterdir()):
        if not (path / "model" / "huggingface" / CONFIG).is_file():
            fix = f"copy config.json and the tokenizer of the trained model to {path / 'model' / 'huggingface'}"
            raise DaroDataError(str(path), got="Megatron shards alone", expected="a config.json too", fix=fix)
        return SavedModel("megatron", path)
    expected = "a model directory, a hub id, or verl's checkpoint (global_step_N, its actor/, or default_local_dir)"
    fix = "name one of these; a checkpoint needs 'model' in actor.checkpoint.save_contents"
    raise DaroDataError("CHECKPOINT", got=str(path), expected=expected, fix=fix)
