"""Choose the actor's rollout servers. In a job with DARO, they are the ones that keep the difficulty weights."""

import logging
from typing import Any

logger = logging.getLogger(__name__)


class ReplicaClass:
    """Attribute ``rollout_replica_class`` of verl's ``LLMServerManager``, which verl leaves to recipes.

    verl's manager chooses the class itself unless it finds this attribute. In a job with DARO, the attribute is DARO's
    counterpart of verl's choice. In any other job it does not exist. If a subclass or an instance sets the attribute,
    it keeps its own class, and its servers get no difficulty weights. Reward and teacher models have managers of other
    classes. They share the registry of replica classes, which does not change.
    """

    def __get__(self, manager: Any, owner: type | None = None) -> type:
        from daro_verl.config import wants_daro

        if manager is None or not wants_daro(manager.config):
            raise AttributeError("rollout_replica_class: verl chooses it in a job without DARO")
        from verl.workers.rollout.replica import get_rollout_replica_class

        config = manager.rollout_config
        chosen = get_rollout_replica_class(config.name, disaggregation_enabled=config.disaggregation.enabled)
        manager.rollout_replica_class = with_difficulty(chosen)
        return manager.rollout_replica_class


def with_difficulty(replica_class: type) -> type:
    """The counterpart of one of verl's classes of rollout replicas; the class itself if there is none.

    This imports an engine only if verl has imported it.
    """
    if replica_class.__name__ == "vLLMReplica":
        from daro_verl.rollout.vllm_server import DifficultyVLLMReplica

        return DifficultyVLLMReplica
    if replica_class.__name__ == "SGLangReplica":
        from daro_verl.rollout.sglang_server import DifficultySGLangReplica

        return DifficultySGLangReplica
    logger.warning("The rollout servers of %s do not get the difficulty weights.", replica_class.__name__)
    return replica_class
