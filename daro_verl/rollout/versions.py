"""The version of the difficulty weights on its way from a server's answer to the trajectory.

verl's client for partial rollouts puts one output together from several answers and copies only the fields it knows,
so the version of the last answer is kept aside while it does.
"""

from contextvars import ContextVar
from typing import Any

from daro_verl.rollout.fields import VERSION_FIELD

_of_last_answer: ContextVar[dict[str, int | None]] = ContextVar("daro_version_of_last_answer")


async def keep_version(generate: Any, args: tuple, kwargs: dict) -> Any:
    """Around ``LLMServerClient.generate``, which asks a server once."""
    output = await generate(*args, **kwargs)
    if VERSION_FIELD in output.extra_fields:
        _of_last_answer.set({VERSION_FIELD: output.extra_fields[VERSION_FIELD]})
    return output


async def hand_on_version(generate: Any, args: tuple, kwargs: dict) -> Any:
    """Around ``FullyAsyncLLMServerClient.generate``, which asks until the response is complete."""
    _of_last_answer.set({})
    output = await generate(*args, **kwargs)
    output.extra_fields.update(_of_last_answer.get())
    return output
