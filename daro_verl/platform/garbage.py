"""How often Python looks for unreachable objects, in the processes that Ray starts."""

import gc

THRESHOLDS = (200_000, 50, 100)


def collect_seldom() -> None:
    """Ray's ``worker_process_setup_hook``: collect after 200,000 new objects instead of 700.

    What a process makes while it imports torch, transformers and verl stays, and is looked through again and again:
    importing the agent loop takes 9.2 CPU seconds with Python's own thresholds and 7.7 with these.
    """
    gc.set_threshold(*THRESHOLDS)
