"""Every place where verl is touched, in the order in which a job meets them.

========================================  ==========================================================================
``verl.utils.config``                     ``validate_config``: refuse or prepare the job (driver, before any worker)
``verl.workers.engine_workers``           ``ActorRolloutRefWorker.actor_worker_cls``: DARO's actor worker, if asked
``verl.trainer.ppo.core_algos``           the advantage estimator ``daro`` (driver)
``verl.trainer.ppo.metric_utils``         ``compute_data_metrics``: add the histogram of pass rates (driver)
========================================  ==========================================================================

Each of them waits for its verl module to be imported (wrapt's post-import hooks). A job that does not ask for DARO
passes through unchanged. One more place is touched only in processes of a DARO job, by ``workers/policy_loss.py``
(named in the prepared configuration): it registers the policy loss ``daro`` and sums by bin in ``core_algos.agg_loss``
while that loss runs.
"""

import inspect
from types import ModuleType
from typing import Any

import wrapt
from omegaconf import OmegaConf


def install() -> None:
    """Attach every seam; modules that are imported already are touched at once. Idempotent per process."""
    for name, touch in SEAMS.items():
        wrapt.register_post_import_hook(touch, name)


def refuse_daro(problem: str) -> None:
    """Attach only a refusal: a job that asks for DARO ends with ``problem`` before any worker starts."""
    from daro_verl.errors import UnsupportedVerlError

    def validate(validate_config: Any, _instance: Any, args: tuple, kwargs: dict) -> None:
        from daro_verl.job import wants_daro

        if wants_daro(_job(validate_config, args, kwargs)["config"]):
            raise UnsupportedVerlError(problem)
        validate_config(*args, **kwargs)

    wrapt.register_post_import_hook(
        lambda module: wrapt.wrap_function_wrapper(module, "validate_config", validate), "verl.utils.config"
    )


def _touch_config(module: ModuleType) -> None:
    wrapt.wrap_function_wrapper(module, "validate_config", _prepare_then_validate)


def _prepare_then_validate(validate_config: Any, _instance: Any, args: tuple, kwargs: dict) -> None:
    from daro_verl.job import prepare_job

    job = _job(validate_config, args, kwargs)
    prepare_job(job["config"], use_critic=job["use_critic"])
    validate_config(*args, **kwargs)


def _job(validate_config: Any, args: tuple, kwargs: dict) -> dict[str, Any]:
    """The arguments of verl's ``validate_config`` by name, however the entry point passes them."""
    return inspect.signature(validate_config).bind(*args, **kwargs).arguments


def _touch_algorithms(module: ModuleType) -> None:
    module.register_adv_est("daro")(_estimator)


def _estimator(**kwargs: Any) -> Any:
    from daro_verl.driver import estimate_advantage

    return estimate_advantage(**kwargs)


def _touch_metrics(module: ModuleType) -> None:
    wrapt.wrap_function_wrapper(module, "compute_data_metrics", _add_pass_rates)


def _add_pass_rates(compute_data_metrics: Any, _instance: Any, args: tuple, kwargs: dict) -> dict[str, Any]:
    from daro_verl.driver import drain_pass_rates

    return {**compute_data_metrics(*args, **kwargs), **drain_pass_rates()}


class _ActorWorkerClass:
    """Class attribute that answers with DARO's actor worker where the worker's job asks for DARO, else as before."""

    def __init__(self, plain: type) -> None:
        self.plain = plain

    def __get__(self, worker: Any, owner: type | None = None) -> type:
        if worker is None or not OmegaConf.select(worker.config, "actor.policy_loss.daro"):
            return self.plain
        from daro_verl.workers.actor_worker import DaroActorWorker

        return DaroActorWorker


def _touch_workers(module: ModuleType) -> None:
    worker_class = module.ActorRolloutRefWorker
    worker_class.actor_worker_cls = _ActorWorkerClass(worker_class.actor_worker_cls)


SEAMS = {
    "verl.utils.config": _touch_config,
    "verl.workers.engine_workers": _touch_workers,
    "verl.trainer.ppo.core_algos": _touch_algorithms,
    "verl.trainer.ppo.metric_utils": _touch_metrics,
}
