"""Every place where verl is touched, in the order in which a job meets them.

========================================  ==========================================================================
``verl.utils.config``                     ``validate_config``: refuse or prepare the job (driver, before any worker)
``verl.trainer.main_ppo``                 ``run_ppo``: the same, before Ray starts, for entry points that validate later
                                          (``one_step_off_policy``) or never (``fully_async_policy``)
``verl.workers.engine_workers``           ``ActorRolloutRefWorker.actor_worker_cls``: DARO's actor worker, if asked
``verl.trainer.ppo.core_algos``           the advantage estimator ``daro`` (driver)
``verl.trainer.ppo.v1.utils``             ``compute_advantage_for_multi_trajectories``: a session of several outputs
                                          counts once, as verl does it for ``grpo`` (driver)
``verl.trainer.ppo.v1.trainer_base``      ``PPOTrainer._update_actor``: check what trajectories carry, add their
                                          staleness (driver)
``verl.trainer.ppo.ray_trainer``          ``RayPPOTrainer._update_actor``: the same for all other trainers (driver)
``verl.trainer.ppo.metric_utils``         ``compute_data_metrics``: add the histogram of pass rates, and what the
                                          exchange counted (driver)
========================================  ==========================================================================

The exchange with the rollout servers (``docs/exchange.md``), attached in ``rollout/seams.py``:

========================================  ==========================================================================
``verl.workers.engine_workers``           ``ActorRolloutRefWorker.difficulty_snapshot``: a method more, for the driver
``verl.checkpoint_engine.base``           ``CheckpointEngineManager.update_weights``: then send the snapshot (driver)
``verl.workers.rollout.llm_server``       ``LLMServerManager.__init__``: replicas that hold it (driver);
                                          ``LLMServerClient.generate`` and that of ``FullyAsyncLLMServerClient``: keep
                                          the version that comes with an answer (agent loops)
``verl.trainer.ppo.v1.agent_loop_tq``     ``AgentLoopManagerTQ.__init__``: agent loops that add the pass rate (driver)
``verl.trainer.ppo.v1.trainer_base``      ``PPOTrainer._build_replay_buffer``: watch it, and select (driver)
========================================  ==========================================================================

Each of them waits for its verl module to be imported (wrapt's post-import hooks). A job that does not ask for DARO
passes through unchanged. One more place is touched only in processes of a DARO job, by ``workers/policy_loss.py``
(named in the prepared configuration): it registers the policy loss ``daro`` and sums by bin in ``core_algos.agg_loss``
while that loss runs.
"""

from types import ModuleType
from typing import Any

import wrapt
from omegaconf import OmegaConf

from daro_verl.rollout import seams as rollout_seams
from daro_verl.wrapping import arguments, wrap


def install() -> None:
    """Attach every seam; modules that are imported already are touched at once. Idempotent per process."""
    for name, touch in (*SEAMS.items(), *rollout_seams.SEAMS.items()):
        wrapt.register_post_import_hook(touch, name)


def refuse_daro(problem: str) -> None:
    """Attach only a refusal: a job that asks for DARO ends with ``problem`` before any worker starts."""
    from daro_verl.errors import UnsupportedVerlError

    def refuse(function: Any, args: tuple, kwargs: dict) -> Any:
        from daro_verl.job import wants_daro

        if wants_daro(arguments(function, args, kwargs)["config"]):
            raise UnsupportedVerlError(problem)
        return function(*args, **kwargs)

    for name, function in {"verl.utils.config": "validate_config", "verl.trainer.main_ppo": "run_ppo"}.items():
        wrapt.register_post_import_hook(lambda module, function=function: wrap(module, function, refuse), name)


def _touch_config(module: ModuleType) -> None:
    wrap(module, "validate_config", _prepare_then_validate)


def _prepare_then_validate(validate_config: Any, args: tuple, kwargs: dict) -> None:
    from daro_verl.job import prepare_job

    job = arguments(validate_config, args, kwargs)
    prepare_job(job["config"], use_critic=job["use_critic"])
    validate_config(*args, **kwargs)


def _touch_entry_point(module: ModuleType) -> None:
    wrap(module, "run_ppo", _prepare_then_run)


def _prepare_then_run(run_ppo: Any, args: tuple, kwargs: dict) -> None:
    from verl.trainer.ppo.utils import need_critic

    from daro_verl.job import prepare_job, wants_daro

    config = arguments(run_ppo, args, kwargs)["config"]
    if wants_daro(config):
        prepare_job(config, use_critic=need_critic(config))
    run_ppo(*args, **kwargs)


def _touch_algorithms(module: ModuleType) -> None:
    module.register_adv_est("daro")(_estimator)


def _estimator(**kwargs: Any) -> Any:
    from daro_verl.driver import estimate_advantage

    return estimate_advantage(**kwargs)


def _touch_advantage(module: ModuleType) -> None:
    wrap(module, "compute_advantage_for_multi_trajectories", _count_sessions_once)


def _count_sessions_once(compute_advantage: Any, args: tuple, kwargs: dict) -> Any:
    given = arguments(compute_advantage, args, kwargs)
    if given["adv_estimator"] != "daro":
        return compute_advantage(*args, **kwargs)
    from daro_verl.driver import estimate_advantage_of_outputs

    return estimate_advantage_of_outputs(given["data"], given["batch_keys"], given["config"])


def _touch_metrics(module: ModuleType) -> None:
    wrap(module, "compute_data_metrics", _add_pass_rates)


def _add_pass_rates(compute_data_metrics: Any, args: tuple, kwargs: dict) -> dict[str, Any]:
    from daro_verl.driver import drain_pass_rates
    from daro_verl.rollout import step_log

    return {**compute_data_metrics(*args, **kwargs), **drain_pass_rates(), **step_log.drain()}


def _touch_v1_trainer(module: ModuleType) -> None:
    wrap(module.PPOTrainer, "_update_actor", _add_staleness)


def _touch_other_trainers(module: ModuleType) -> None:
    wrap(module.RayPPOTrainer, "_update_actor", _add_staleness)


def _add_staleness(update_actor: Any, args: tuple, kwargs: dict) -> Any:
    """V1 hands in the metrics of the step to add to; the other trainers take them from what is returned."""
    from daro_verl.job import wants_daro

    given = arguments(update_actor, args, kwargs)
    if not wants_daro(given["self"].config):
        return update_actor(*args, **kwargs)
    from daro_verl.rollout.trajectories import look_at_trajectories
    from daro_verl.staleness import staleness_metrics

    look_at_trajectories(given["self"], given["batch"])
    staleness = staleness_metrics(given["self"], given["batch"])
    output = update_actor(*args, **kwargs)
    metrics = given["metrics"] if "metrics" in given else output.meta_info["metrics"]
    metrics.update(staleness)
    return output


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
    "verl.trainer.main_ppo": _touch_entry_point,
    "verl.workers.engine_workers": _touch_workers,
    "verl.trainer.ppo.core_algos": _touch_algorithms,
    "verl.trainer.ppo.v1.utils": _touch_advantage,
    "verl.trainer.ppo.v1.trainer_base": _touch_v1_trainer,
    "verl.trainer.ppo.ray_trainer": _touch_other_trainers,
    "verl.trainer.ppo.metric_utils": _touch_metrics,
}
