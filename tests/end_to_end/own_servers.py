"""A user's own class of rollout servers in the place of verl's. verl imports this (``VERL_USE_EXTERNAL_MODULES``)."""

import wrapt


@wrapt.when_imported("verl.workers.rollout.replica")
def register(module) -> None:
    def load() -> type:
        from verl.workers.rollout.vllm_rollout.vllm_async_server import vLLMReplica

        class OwnReplica(vLLMReplica):
            pass

        return OwnReplica

    module.RolloutReplicaRegistry.register("vllm", load)
