"""What a process of SGLang's is started with on the CPU platform: importing this module sets the bridges.

A spawned process imports the module of its target before anything else, and so before SGLang.
"""

from typing import Any

from daro_verl.platform import bridges

bridges.set_hooks()


def run_scheduler_process(*args: Any, **kwargs: Any) -> Any:
    """SGLang's own."""
    from sglang.srt.managers import scheduler

    return scheduler.run_scheduler_process(*args, **kwargs)


def run_detokenizer_process(*args: Any, **kwargs: Any) -> Any:
    """SGLang's own."""
    from sglang.srt.managers import detokenizer_manager

    return detokenizer_manager.run_detokenizer_process(*args, **kwargs)
