"""Where a model comes from: a directory, or the hub."""

import json
import re
from pathlib import Path
from typing import Any

from daro_verl.errors import DaroDataError

CONFIG, TOKENIZER_CONFIG, CHAT_TEMPLATE = "config.json", "tokenizer_config.json", "chat_template.jinja"
WEIGHTS = (".safetensors", ".bin")
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "LICENSE*"]


def resolve(source: str, revision: str | None = None) -> Path:
    """The directory of a model: a local one, or the snapshot of a hub id.

    A snapshot is downloaded if necessary. An interrupted download resumes.

    Raises:
        DaroDataError: ``source`` is neither of these, or the download failed.
    """
    path = Path(source)
    if path.is_dir():
        return path.resolve()
    if path.exists() or source.startswith((".", "/")) or not _HUB_ID.fullmatch(source):
        expected = "a model's directory or a hub id such as Qwen/Qwen2.5-Math-7B"
        raise DaroDataError("model", got=source, expected=expected, fix="check the path")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source, revision=revision, allow_patterns=_PATTERNS))
    except GatedRepoError as error:
        fix = f"accept the licence on the model's page on the hub ({source}), then `hf auth login`"
        raise DaroDataError(f"download of {source}", got="a gated model", expected="access to it", fix=fix) from error
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        got = f"{type(error).__name__}: {error}"[:300]
        fix = "check the name, the network and `hf auth login`, then run again: the download resumes"
        raise DaroDataError(f"download of {source}", got=got, expected="a snapshot", fix=fix) from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of settings.

    Raises:
        DaroDataError: the file is missing or damaged.
    """
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        fix = "download the model again, or name its own directory"
        raise DaroDataError(str(path), got=f"{error}"[:200], expected="readable JSON", fix=fix) from error
    if not isinstance(value, dict):
        raise DaroDataError(str(path), got=type(value).__name__, expected="a mapping", fix="download it again")
    return value


def weight_files(model: Path) -> list[Path]:
    """The files of the weights: all that the index names.

    Raises:
        DaroDataError: some are missing, or there are none.
    """
    files = {path.name: path for path in sorted(model.iterdir()) if path.suffix in WEIGHTS and path.exists()}
    named: set[str] = set()
    for index in INDEXES:
        if (model / index).exists():
            named |= set(read_json(model / index).get("weight_map", {}).values())
            break
    missing = sorted(named - set(files))
    if missing or not files:
        got = f"without {', '.join(missing[:5])}" if missing else "no weights"
        fix = "finish the download of this model"
        raise DaroDataError(str(model), got=got, expected="all files that the index names", fix=fix)
    return list(files.values())
