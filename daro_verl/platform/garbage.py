"""How often Python looks for unreachable objects, in the processes that Ray starts."""

import gc

THRESHOLDS = (200_000, 50, 100)


def collect_seldom() -> None:
    """Ray's ``worker_process_setup_hook``: collect after 200,000 new objects instead of 700.

    Each process makes about a million objects while it imports torch, transformers and verl, all of which stay:
    looking through them again and again took an eighth of the time of the imports.
    """
    gc.set_threshold(*THRESHOLDS)
