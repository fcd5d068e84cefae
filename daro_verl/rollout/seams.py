"""The places in verl where the exchange with the rollout servers is attached; see ``daro_verl/seams.py`` for all."""

from types import ModuleType
from typing import Any

from daro_verl.wrapping import arguments, wrap


def _touch_workers(module: ModuleType) -> None:
    """Give the worker that holds the actor a method that the driver can call. Nobody calls it in a job without DARO."""
    from verl.single_controller.base.decorator import Dispatch, Execute, register

    def difficulty_snapshot(self: Any, global_step: int) -> bytes:
        return self.actor.difficulty_snapshot(global_step)

    on_rank_zero = register(dispatch_mode=Dispatch.ALL_TO_ALL, execute_mode=Execute.RANK_ZERO)
    module.ActorRolloutRefWorker.difficulty_snapshot = on_rank_zero(difficulty_snapshot)


def _touch_weight_sync(module: ModuleType) -> None:
    """Send the snapshot after the model.

    verl's ``auto_await`` looks at its caller, so the function inside it is replaced.
    """
    from verl.utils.ray_utils import auto_await

    plain = module.CheckpointEngineManager.update_weights.__wrapped__

    async def update_weights(self: Any, global_steps: int | None = None) -> Any:
        result = await plain(self, global_steps=global_steps)
        from daro_verl.rollout.exchange import exchange_after_sync

        exchange_after_sync(self, global_steps)
        return result

    module.CheckpointEngineManager.update_weights = auto_await(update_weights)


def _touch_servers(module: ModuleType) -> None:
    wrap(module.LLMServerManager, "__init__", _choose_replica_class)
    wrap(module.LLMServerClient, "generate", _keep_version)
    wrap(module.FullyAsyncLLMServerClient, "generate", _hand_on_version)


def _choose_replica_class(init: Any, args: tuple, kwargs: dict) -> None:
    """verl's manager of the actor's rollout servers; those of reward and teacher models do not pass here."""
    from daro_verl.job import wants_daro

    init(*args, **kwargs)
    manager = args[0]
    if wants_daro(manager.config):
        from daro_verl.rollout.replicas import with_difficulty

        manager.rollout_replica_class = with_difficulty(manager.rollout_replica_class)


def _keep_version(generate: Any, args: tuple, kwargs: dict) -> Any:
    from daro_verl.rollout.versions import keep_version

    return keep_version(generate, args, kwargs)


def _hand_on_version(generate: Any, args: tuple, kwargs: dict) -> Any:
    from daro_verl.rollout.versions import hand_on_version

    return hand_on_version(generate, args, kwargs)


def _touch_agent_loop(module: ModuleType) -> None:
    wrap(module.AgentLoopManagerTQ, "__init__", _choose_agent_loop_worker)


def _choose_agent_loop_worker(init: Any, args: tuple, kwargs: dict) -> None:
    from daro_verl.job import wants_daro

    init(*args, **kwargs)
    manager = args[0]
    if wants_daro(manager.config):
        import ray

        from daro_verl.rollout.agent_loop import DifficultyAgentLoopWorker

        manager.agent_loop_workers_class = ray.remote(DifficultyAgentLoopWorker)


def _touch_v1_trainer(module: ModuleType) -> None:
    wrap(module.PPOTrainer, "_build_replay_buffer", _watch_replay_buffer)


def _watch_replay_buffer(build: Any, args: tuple, kwargs: dict) -> Any:
    from daro_verl.job import wants_daro

    trainer = arguments(build, args, kwargs)["self"]
    buffer, config = build(*args, **kwargs), trainer.config
    if wants_daro(config):
        from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

        from daro_verl.rollout.sampling import DifficultySampling

        if not isinstance(buffer, ReplayBuffer):  # a custom sampler that is none of verl's
            return buffer
        options = config.algorithm.daro
        patience = trainer.parameter_sync_step if isinstance(buffer, ReplayBufferAsync) else None  # a step's samples
        DifficultySampling(options.num_rollouts).attach(buffer, options.balanced_sampling, patience)
    return buffer


SEAMS = {
    "verl.workers.engine_workers": _touch_workers,
    "verl.checkpoint_engine.base": _touch_weight_sync,
    "verl.workers.rollout.llm_server": _touch_servers,
    "verl.trainer.ppo.v1.agent_loop_tq": _touch_agent_loop,
    "verl.trainer.ppo.v1.trainer_base": _touch_v1_trainer,
}
