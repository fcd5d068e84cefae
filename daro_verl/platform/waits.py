"""Waits of a fixed length in verl, in which a small job spends most of its steps."""

from types import ModuleType

import wrapt

SECONDS_BETWEEN_LOOKS = 0.2


def look_for_rollouts_often(replay_buffer: ModuleType) -> None:
    """Let the synchronous trainer see within 0.2 s that all its responses are there.

    ``ReplayBuffer`` (verl 0.9.1) sleeps two seconds between two looks, and no option sets that. The synchronous trainer
    takes all responses of the step, whenever it looks. The asynchronous ones take what is there, so theirs stays as it
    is. Not needed once verl has an option.
    """

    def init(wrapped, instance, args, kwargs):
        wrapped(*args, **kwargs)
        if instance.trainer_mode == "sync":
            instance.poll_interval = min(instance.poll_interval, SECONDS_BETWEEN_LOOKS)

    wrapt.wrap_function_wrapper(replay_buffer, "ReplayBuffer.__init__", init)
