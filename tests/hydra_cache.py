"""verl's configuration files, read once in a process."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import verl
from hydra._internal.config_repository import ConfigRepository
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult

INSTALLED = str(Path(verl.__path__[0]))
_read: dict[tuple, ConfigResult | None] = {}
_load = ConfigRepository.load_config


def _load_once(self: ConfigRepository, config_path: str) -> ConfigResult | None:
    """Hydra's own, for files that no test writes."""
    source = self._find_object_source(config_path, ObjectType.CONFIG)
    if source is None or not source.path.removeprefix("file://").startswith((INSTALLED, "verl.", "hydra.")):
        return _load(self, config_path)
    key = (type(source), source.path, config_path)
    if key not in _read:
        _read[key] = _load(self, config_path)
    return copy.deepcopy(_read[key])  # a later file's values are merged into what is given


@contextmanager
def hydra_reads_verls_files_once() -> Iterator[None]:
    with patch.object(ConfigRepository, "load_config", _load_once):
        yield
