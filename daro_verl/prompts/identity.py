"""The identity of a prompt over data sets and jobs: a number of 64 bits."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

STABLE = ("key", "id")
"""Fields of ``extra_info`` that name a problem. The first one that is there counts. ``daro data`` writes both."""


def prompt_id(data_source: str, messages: Any, extra_info: Mapping[str, Any] | None) -> int:
    """The number of a prompt, from its source and its stable id, or from its source and its text if it has no id.

    Prompts with the same number share what is known of them. This holds for duplicates, and for prompts with the same
    text and different pictures, unless they have ids. Among a million prompts, the chance that any two different ones
    share a number is one in forty million.

    Args:
        data_source: verl's column.
        messages: the chat, from a data set (``prompt``) or as verl sends it (``raw_prompt``).
        extra_info: verl's column.
    """
    named = (str(value) for name in STABLE if (value := (extra_info or {}).get(name)) not in (None, ""))
    name = next(named, None)
    parts = ("text", text_of(messages)) if name is None else ("id", name)
    digest = hashlib.blake2b("\x1f".join((str(data_source), *parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def text_of(messages: Any) -> str:
    """The chat as one text. A part that is not text is shown by its kind (``<image>``), as in verl's data sets."""
    if isinstance(messages, str):
        return messages
    return "\n".join(f"{message['role']}: {_content(message.get('content'))}" for message in messages)


def _content(content: Any) -> str:
    if content is None or isinstance(content, str):  # a call of a tool has none
        return content or ""
    return "".join(part.get("text") or f"<{part['type']}>" for part in content)


def prompt_ids(rows: Iterable[Mapping[str, Any]], prompt_key: str) -> tuple[np.ndarray, list[str]]:
    """Numbers [N] uint64 and data sources [N] of the rows of a data set."""
    ids, sources = [], []
    for row in rows:
        source = str(row.get("data_source"))
        ids.append(prompt_id(source, row[prompt_key], row.get("extra_info")))
        sources.append(source)
    return np.array(ids, dtype=np.uint64), sources
