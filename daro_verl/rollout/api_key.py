"""The engine's API key in front of ``GET /daro``.

The engines do not guard this path. vLLM's middleware guards the paths below ``/v1`` and a few others (vLLM 0.28.0).
SGLang's guards all paths, but it is added in a function that verl's server does not call (SGLang 0.5.12).
"""

import os
import secrets
from collections.abc import Callable
from typing import Any


def api_keys(server_args: Any) -> list[str]:
    """The engine's keys: its argument ``api_key`` (one or several), or ``VLLM_API_KEY``. Most engines have none.

    Args:
        server_args: the engine's arguments, as verl passes them to its HTTP server.
    """
    given = getattr(server_args, "api_key", None) or os.environ.get("VLLM_API_KEY")
    return [given] if isinstance(given, str) else [key for key in given or () if key]


def key_required(keys: list[str]) -> Callable[[Any], None]:
    """A check of a request's ``Authorization: Bearer <key>``, as in both engines. Without the key it answers 401."""
    from fastapi import HTTPException, Request

    def check(request: Request) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        right = [secrets.compare_digest(key.encode(), known.encode()) for known in keys]
        if scheme.lower() != "bearer" or not any(right):
            raise HTTPException(401, "Unauthorized")

    return check
