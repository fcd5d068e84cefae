"""Obstacle: torch.compile looks at the properties of a CUDA device that has only stand-ins."""

from types import ModuleType


def disable(config: ModuleType) -> None:
    """Turn torch.compile off in this process.

    Needed by torch 2.13, whose ``import transformers`` reads ``TORCHDYNAMO_DISABLE`` before verl's plugins run, so
    setting the variable only reaches child processes. Not needed once verl loads plugins before torch.
    """
    config.disable = True
