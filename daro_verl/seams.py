"""Every place where DARO touches verl: what it does there, and which change of verl would make it unnecessary.

1. ``verl.utils.config.validate_config`` (driver). Refuses or prepares a job before any worker starts. Plugins have no
   hook there. Unnecessary once they have one.
2. ``verl.trainer.main_ppo.run_ppo`` (driver). Does the same for entry points that validate after Ray has started
   (``one_step_off_policy``) or never (``fully_async_policy``). Unnecessary once all of them validate first.
3. ``verl.workers.engine_workers.ActorRolloutRefWorker.actor_worker_cls`` (actor). verl's own class attribute, which
   says which training worker the actor is. Unnecessary once the configuration can name that class.
4. ``verl.workers.engine_workers.ActorRolloutRefWorker.difficulty_snapshot`` (actor). Adds a method for the driver.
   Unnecessary once the driver can call methods that a training worker registers.
5. ``verl.trainer.ppo.v1.utils.compute_advantage_for_multi_trajectories`` (driver). Counts a session of several outputs
   once. verl does so only for the estimator ``grpo``. Unnecessary once verl does so for every estimator, and for a
   session whose last output has no tokens.
6. ``verl.checkpoint_engine.base.CheckpointEngineManager`` (driver). A subclass takes its place and sends the weights
   after each sync. Unnecessary once V1's trainers no longer ignore ``rollout.checkpoint_manager_class``.
7. ``verl.workers.rollout.llm_server.LLMServerManager.rollout_replica_class`` (driver). verl's own class attribute, left
   for recipes. Chooses replicas whose servers hold the weights. Unnecessary once the configuration can name the class.
8. ``verl.trainer.ppo.v1.trainer_base.create_rl_sampler`` (driver). Orders the training prompts, in a job that chooses
   them. Unnecessary once the configuration can name a sampler.
9. ``run_uvicorn`` in the engine's server module (a rollout server's own process). Adds the route ``GET /daro``
   (``rollout/server.py``). Unnecessary once verl has a hook for routes.

DARO also uses official places: the entry-point group ``verl.plugins`` (``plugin.py``), ``register_adv_est``,
``trainer.v1.sampler.custom_sampler`` (``rollout/sampling.py``) and ``trainer.checkpoint_callback_class``
(``prompts/in_verl.py``). A job that names its own sampler keeps it. DARO's callback class calls the one that a job
names. Subclasses override methods of ``TrainingWorker`` (``workers/actor_worker.py``), of the rollout servers and
replicas (``rollout/server.py``), and of ``ReplayBuffer`` (``rollout/sampling.py``). ``compatibility.py`` has the
signature of everything that is touched or overridden. If one differs, a job that asks for DARO is refused.

``official.py`` knows the places that ``upstream/`` proposes to verl. In a verl that has a place for 3 or 6, that hook
stays off. In a verl with the change for 5, the hook handles only sessions whose last output has no tokens. If an
estimator may return columns, pass rates travel in a column of their own instead of ``returns``.

Each hook waits for its verl module to be imported (wrapt's post-import hooks). A job that does not ask for DARO passes
through unchanged.
"""

import logging
from functools import partial
from types import ModuleType
from typing import Any

import wrapt
from omegaconf import OmegaConf

from daro_verl import official
from daro_verl.wrapping import arguments, wrap

logger = logging.getLogger(__name__)


def install() -> None:
    """Attach every hook. Modules that are already imported are changed at once. Idempotent per process."""
    for name, attach in SEAMS.items():
        wrapt.register_post_import_hook(attach, name)


def refuse_daro(problem: str) -> None:
    """Attach only a refusal: a job that asks for DARO ends with ``problem`` before any worker starts."""
    from daro_verl.errors import DaroVerlError

    def refuse(function: Any, args: tuple, kwargs: dict) -> Any:
        from daro_verl.config import wants_daro

        if wants_daro(arguments(function, args, kwargs)["config"]):
            raise DaroVerlError(problem)
        return function(*args, **kwargs)

    for name, function in {"verl.utils.config": "validate_config", "verl.trainer.main_ppo": "run_ppo"}.items():
        wrapt.register_post_import_hook(partial(wrap, name=function, wrapper=refuse), name)


def _on_config(module: ModuleType) -> None:
    wrap(module, "validate_config", _prepare_then_validate)


def _prepare_then_validate(validate_config: Any, args: tuple, kwargs: dict) -> None:
    job = arguments(validate_config, args, kwargs)
    _prepare(job["config"], job["use_critic"])
    validate_config(*args, **kwargs)


def _on_entry_point(module: ModuleType) -> None:
    wrap(module, "run_ppo", _prepare_then_run)


def _prepare_then_run(run_ppo: Any, args: tuple, kwargs: dict) -> None:
    from verl.trainer.ppo.utils import need_critic

    from daro_verl.config import wants_daro

    config = arguments(run_ppo, args, kwargs)["config"]
    _prepare(config, wants_daro(config) and need_critic(config))
    run_ppo(*args, **kwargs)


def _prepare(config: Any, use_critic: bool) -> None:
    import verl

    from daro_verl.announcement import announcement
    from daro_verl.compatibility import check_signatures
    from daro_verl.config import wants_daro
    from daro_verl.errors import DaroError, without_traceback
    from daro_verl.job import is_prepared, prepare_job

    wanted, first_time = wants_daro(config), not is_prepared(config)
    try:
        if wanted:
            check_signatures(verl.__path__[0])
        prepare_job(config, use_critic=use_critic)
    except DaroError as error:
        raise without_traceback(error) from None
    if wanted and first_time:
        logger.info(announcement(config))


def _on_workers(module: ModuleType) -> None:
    """Give the worker that holds the actor its class of training worker, and a method that the driver can call."""
    from verl.single_controller.base.decorator import Dispatch, register

    def difficulty_snapshot(self: Any, global_step: int, exchange: dict[str, float]) -> bytes:
        if not hasattr(self.actor, "difficulty_snapshot"):
            raise _without_weights(self.actor)
        return self.actor.difficulty_snapshot(global_step, exchange)

    worker_class = module.ActorRolloutRefWorker
    if not official.has_worker_class(module):
        worker_class.actor_worker_cls = _ActorWorkerClass(worker_class.actor_worker_cls)
    worker_class.difficulty_snapshot = register(dispatch_mode=Dispatch.ONE_TO_ALL)(difficulty_snapshot)


def _without_weights(actor: Any) -> Exception:
    from daro_verl.errors import DaroVerlError

    fix = "let the class that your worker names in actor_worker_cls inherit from DaroActorWorker"
    expected = "daro_verl.workers.actor_worker.DaroActorWorker, which holds the difficulty weights"
    return DaroVerlError("training worker of the actor", got=type(actor).__name__, expected=expected, fix=fix)


class _ActorWorkerClass:
    """A class attribute. It is DARO's actor worker if the worker's job asks for DARO, otherwise the class as before."""

    def __init__(self, plain: type) -> None:
        self.plain = plain

    def __get__(self, worker: Any, owner: type | None = None) -> Any:
        daro = None if worker is None else OmegaConf.select(worker.config, "daro")
        if daro is None:
            return self.plain
        from daro_verl.workers.actor_worker import DaroActorWorker

        return partial(DaroActorWorker, daro=daro)


def _on_algorithms(module: ModuleType) -> None:
    module.register_adv_est("daro")(_estimator)
    official.outcome_estimators(module).add("daro")


def _estimator(**kwargs: Any) -> Any:
    from verl.trainer.ppo import core_algos

    from daro_verl.advantage.in_verl import estimate_advantage

    advantages, pass_rates = estimate_advantage(**kwargs)
    output = official.advantage_output(core_algos)
    if output is None:
        return advantages, pass_rates
    return output(advantages, returns=advantages, columns={official.PASS_RATE: pass_rates})


def _on_advantage(module: ModuleType) -> None:
    wrap(module, "compute_advantage_for_multi_trajectories", _count_sessions_once)


def _count_sessions_once(compute_advantage: Any, args: tuple, kwargs: dict) -> Any:
    given = arguments(compute_advantage, args, kwargs)
    if given["adv_estimator"] != "daro":
        return compute_advantage(*args, **kwargs)
    from verl.trainer.ppo import core_algos

    from daro_verl.advantage.in_verl import ends_in_tokens, estimate_advantage_of_outputs

    data, keys = given["data"], given["batch_keys"]
    if "daro" in official.outcome_estimators(core_algos) and ends_in_tokens(data.batch["response_mask"], keys):
        return compute_advantage(*args, **kwargs)
    data = estimate_advantage_of_outputs(data, keys, given["config"])
    if official.advantage_output(core_algos):
        data.batch[official.PASS_RATE], data.batch["returns"] = data.batch["returns"], data.batch["advantages"]
    return data


def _on_trainer(module: ModuleType) -> None:
    wrap(module, "create_rl_sampler", _choose_prompts)


def _choose_prompts(create_rl_sampler: Any, args: tuple, kwargs: dict) -> Any:
    given = arguments(create_rl_sampler, args, kwargs)
    if OmegaConf.select(given["data_config"], "daro") is None:
        return create_rl_sampler(*args, **kwargs)
    from daro_verl.prompts.in_verl import prompt_sampler

    return prompt_sampler(given["dataset"], given["data_config"])


def _on_weight_sync(module: ModuleType) -> None:
    if official.has_checkpoint_manager_class(module):
        return
    from daro_verl.rollout.exchange import with_exchange

    setattr(module, "CheckpointEngineManager", with_exchange(module.CheckpointEngineManager))  # noqa: B010


def _on_servers(module: ModuleType) -> None:
    from daro_verl.rollout.replicas import ReplicaClass

    module.LLMServerManager.rollout_replica_class = ReplicaClass()


SEAMS = {
    "verl.utils.config": _on_config,
    "verl.trainer.main_ppo": _on_entry_point,
    "verl.workers.engine_workers": _on_workers,
    "verl.trainer.ppo.core_algos": _on_algorithms,
    "verl.trainer.ppo.v1.utils": _on_advantage,
    "verl.trainer.ppo.v1.trainer_base": _on_trainer,
    "verl.checkpoint_engine.base": _on_weight_sync,
    "verl.workers.rollout.llm_server": _on_servers,
}
