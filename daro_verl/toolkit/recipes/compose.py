"""Compose and check verl's whole configuration as its entry point does, but start nothing."""

import contextlib
import copy
import io
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from daro_verl.errors import DaroConfigError, DaroError
from daro_verl.job import prepare_job
from daro_verl.toolkit.recipes.setting_rules import KEY
from daro_verl.toolkit.recipes.shortcuts import VARIABLES

CONFIG_NAME = "daro"


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse an argument that is not a Hydra override.

    Raises:
        DaroConfigError: an argument is not an override. The message names it.
    """
    for argument in arguments:
        name, expected, fix = argument.partition("=")[0], "", ""
        if name in VARIABLES:
            expected, fix = "a variable before the command", f"{argument} bash recipes/..."
        elif name in KEY:
            expected, fix = "a key of verl", f"{KEY[name]}=VALUE"
        elif not re.match(r"(\+\+?|~)?[\w@./-]+=", argument) or argument.startswith("-"):
            expected, fix = "Hydra overrides of verl", "KEY=VALUE, or ++KEY=VALUE for a key that verl does not have"
        if expected:
            raise DaroConfigError("arguments", got=argument, expected=expected, fix=f"write {fix}")


def compose_job(folder: Path, overrides: Sequence[str]) -> DictConfig:
    """The configuration of ``python -m verl.trainer.main_ppo --config-path FOLDER --config-name daro OVERRIDES``.

    Raises:
        DaroConfigError: Hydra refuses one of the overrides, or ``folder`` has no recipes.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException

    if not (folder / f"{CONFIG_NAME}.yaml").is_file():
        fix = "run in the project's folder, or pass the path of recipes/config"
        raise DaroConfigError("--config-dir", got=str(folder), expected=f"a folder with {CONFIG_NAME}.yaml", fix=fix)
    try:
        with initialize_config_dir(str(folder.absolute()), version_base=None):
            config = compose(CONFIG_NAME, overrides=list(overrides))
        OmegaConf.to_container(config, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        fix = "correct the argument; put ++ before a key that verl's configuration does not have"
        message = str(error.__cause__ or error)
        raise DaroConfigError("configuration", got=message, expected="overrides that compose", fix=fix) from error
    return config


def key_of(override: str) -> str:
    """The key that an override sets: ``a.b`` for ``+a.b=c``."""
    return override.partition("=")[0].lstrip("+~")


def without(overrides: Sequence[str], later: Sequence[str]) -> list[str]:
    """The ``overrides`` whose keys are not set by ``later`` ones."""
    keys = {key_of(override) for override in later}
    return [override for override in overrides if key_of(override) not in keys]


def refusals_of(config: DictConfig) -> tuple[list[str], list[str]]:
    """The reasons why verl or DARO refuses ``config``, and their warnings. ``config`` does not change."""
    from hydra.errors import HydraException
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    trial = copy.deepcopy(config)
    trial.trainer.resume_mode = "disable"  # a check must not repair a checkpoint
    warnings = _Collect()
    log = logging.getLogger("daro_verl")
    log.addHandler(warnings)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            critic = need_critic(trial)
            prepare_job(trial, critic)
            validate_config(trial, need_reference_policy(trial), critic)
    except DaroError as error:
        return error.problems, warnings.seen
    except HydraException as error:  # from verl's dataclasses: it names the key, and its cause says what is wrong
        return [f"verl refuses the job: {' '.join(str(error).split())}"], warnings.seen
    except (AssertionError, ValueError, TypeError, NotImplementedError, OmegaConfBaseException) as error:
        return [f"verl refuses the job: {error}"], warnings.seen
    finally:
        log.removeHandler(warnings)
    return [], warnings.seen


class _Collect(logging.Handler):
    """Collects the text of warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())


def as_yaml(config: DictConfig) -> str:
    """The whole configuration, with interpolations resolved."""
    container: Any = OmegaConf.to_container(config, resolve=True)
    return OmegaConf.to_yaml(OmegaConf.create(container))
