"""Which of verl's replica classes have a counterpart that holds the difficulty weights."""

import logging

logger = logging.getLogger(__name__)


def with_difficulty(replica_class: type) -> type:
    """The counterpart of one of verl's classes of rollout replicas; the class itself where there is none.

    Engines are imported only where verl has imported them.
    """
    if replica_class.__name__ == "vLLMReplica":
        from daro_verl.rollout.vllm_server import DifficultyVLLMReplica

        return DifficultyVLLMReplica
    if replica_class.__name__ == "SGLangReplica":
        from daro_verl.rollout.sglang_server import DifficultySGLangReplica

        return DifficultySGLangReplica
    logger.warning("Servers of %s do not hold the difficulty weights.", replica_class.__name__)
    return replica_class
