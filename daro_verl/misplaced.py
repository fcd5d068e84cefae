"""Settings that were meant for DARO and would not reach it: a misspelled ``daro``, and options in the wrong place.

This is the only check of a job without DARO. verl's own estimators and registered estimators pass.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from omegaconf import DictConfig, OmegaConf

from daro_verl.config import ESTIMATOR_NAME, DaroConfig, wants_daro
from daro_verl.errors import problem

CUTOFF = 0.8
"""A name with at least this similarity (difflib) counts as a misspelled ``daro``.

``dar`` has 0.86, ``dapo`` 0.75, ``grpo`` 0.5.
"""
OPTIONS = {field.name for field in fields(DaroConfig)}
SECTIONS = ("", "algorithm", "actor_rollout_ref", "actor_rollout_ref.actor", "actor_rollout_ref.actor.policy_loss")
"""In these sections an option's name can only be meant for DARO. Elsewhere, users may have arguments of any name."""
PLACE = "algorithm.daro"
PREPARED = {
    "actor_rollout_ref.daro",
    "actor_rollout_ref.actor.worker_kwargs.daro",
    "trainer.v1.sampler.sampler_kwargs.daro",
    "data.daro",
}
"""Where ``job.py`` puts the options for the workers, the replay buffer and the sampler of the prompts."""


def misplaced_problems(config: DictConfig, is_prepared: bool) -> list[str]:
    """Every misplaced setting of a job of verl, each as got, expected and fix.

    Args:
        config: the job's composed configuration.
        is_prepared: whether ``job.py`` has already prepared it.
    """
    plain: Any = OmegaConf.to_container(config, resolve=False)
    name = OmegaConf.select(config, "algorithm.adv_estimator")
    problems = [_nearly_daro(name)] if _is_nearly_daro(name) else []
    wanted = wants_daro(config) or bool(problems)
    nodes = [(path, node) for path, node in _daro_nodes(plain) if not (is_prepared and path in PREPARED)]
    problems += [
        problem(path, node, "nothing here: it has no effect here", f"use +{PLACE}.<option>=<value>")
        for path, node in nodes
        if path != PLACE and (wanted or _has_options(node))
    ]
    if not wanted and any(path == PLACE and _has_options(node) for path, node in nodes):
        fix = f"set algorithm.adv_estimator={ESTIMATOR_NAME}, or remove {PLACE} (~{PLACE})"
        expected = f"{ESTIMATOR_NAME}, because you set its options: {PLACE} does nothing without it"
        problems.append(problem("algorithm.adv_estimator", name, expected, fix))
    return problems + [
        problem(f"{section}.{option}".lstrip("."), value, "nothing here: it has no effect here", _moved(option, value))
        for section in SECTIONS
        for option, value in sorted(_options_in(config, section).items())
        if wanted
    ]


def _is_nearly_daro(name: object) -> bool:
    from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY

    if not isinstance(name, str) or name in ADV_ESTIMATOR_REGISTRY:
        return False
    spelt = "".join(filter(str.isalnum, name.lower()))
    letters_swapped = sorted(spelt) == sorted(ESTIMATOR_NAME)
    return letters_swapped or difflib.SequenceMatcher(None, spelt, ESTIMATOR_NAME).ratio() >= CUTOFF


def _nearly_daro(name: object) -> str:
    fix = f"did you mean algorithm.adv_estimator={ESTIMATOR_NAME}?"
    return problem("algorithm.adv_estimator", name, "the name of an estimator, spelled exactly", fix)


def _daro_nodes(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every key called ``daro``, in upper or lower case, with its value."""
    for key, value in node.items() if isinstance(node, Mapping) else ():
        here = f"{path}.{key}".lstrip(".")
        if str(key).strip().lower() == ESTIMATOR_NAME:
            yield here, value
        else:
            yield from _daro_nodes(value, here)


def _has_options(node: Any) -> bool:
    return isinstance(node, Mapping) and bool(OPTIONS & node.keys())


def _options_in(config: DictConfig, section: str) -> dict[str, Any]:
    node = OmegaConf.select(config, section) if section else config
    if not isinstance(node, DictConfig):
        return {}
    return {str(name): node[name] for name in node if name in OPTIONS}


def _moved(option: str, value: object) -> str:
    return f"set +{PLACE}.{option}={value}"
