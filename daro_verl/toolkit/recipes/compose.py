"""verl's whole configuration, composed and checked as its entry point does it, without starting anything."""

import contextlib
import copy
import io
import logging
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from daro_verl.errors import DaroError, got_expected_fix
from daro_verl.job import prepare_job
from daro_verl.toolkit.recipes.errors import DaroRecipeError
from daro_verl.toolkit.recipes.knobs import name_knobs


def compose_job(overrides: Sequence[str]) -> DictConfig:
    """The configuration of ``python -m verl.trainer.main_ppo`` with these overrides.

    Raises:
        DaroRecipeError: Hydra refuses one of them.
    """
    from hydra import compose, initialize_config_module
    from hydra.errors import HydraException

    try:
        with initialize_config_module("verl.trainer.config", version_base=None):
            config = compose("ppo_trainer", overrides=list(overrides))
        OmegaConf.to_container(config, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        fix = "correct the argument; a key that verl's configuration does not have wants a + before it"
        message = str(error.__cause__ or error)
        raise DaroRecipeError(got_expected_fix("configuration", message, "overrides that compose", fix)) from error
    return config


def problems_of(config: DictConfig) -> tuple[list[str], list[str]]:
    """What verl and DARO refuse in ``config``, with the knobs concerned, and what they warn of. It stays as it is."""
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    trial = copy.deepcopy(config)
    trial.trainer.resume_mode = "disable"  # a check repairs no checkpoint
    warnings = _Collect()
    log = logging.getLogger("daro_verl")
    log.addHandler(warnings)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            critic = need_critic(trial)
            prepare_job(trial, critic)
            validate_config(trial, need_reference_policy(trial), critic)
    except DaroError as error:
        return [name_knobs(line.removeprefix("- ")) for line in str(error).splitlines() if "got" in line], warnings.seen
    except (AssertionError, ValueError, TypeError, NotImplementedError, OmegaConfBaseException) as error:
        return [f"verl refuses the job: {name_knobs(str(error))}"], warnings.seen
    finally:
        log.removeHandler(warnings)
    return [], warnings.seen


class _Collect(logging.Handler):
    """Keeps the warnings, in words."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())


def as_yaml(config: DictConfig) -> str:
    """All of it, interpolations resolved."""
    container: Any = OmegaConf.to_container(config, resolve=True)
    return OmegaConf.to_yaml(OmegaConf.create(container))
