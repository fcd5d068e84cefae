"""Which prompt is which, over data sets and jobs: a number of 64 bits."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

STABLE = ("key", "id")
"""Fields of ``extra_info`` that name a problem, the first one that is there. ``daro data`` writes both."""


def prompt_id(data_source: str, messages: Any, extra_info: Mapping[str, Any] | None) -> int:
    """The number of a prompt: of its source and its stable id, or of its source and its text, where it has none.

    Prompts with the same number share what is known of them: duplicates do, and prompts with the same text and other
    pictures, unless they have ids. Of a million prompts two others share a number by chance once in forty million
    cases.

    Args:
        data_source: verl's column.
        messages: the chat, of a data set (``prompt``) or as verl sends it (``raw_prompt``).
        extra_info: verl's column.
    """
    named = (str(value) for name in STABLE if (value := (extra_info or {}).get(name)) not in (None, ""))
    name = next(named, None)
    parts = ("text", text_of(messages)) if name is None else ("id", name)
    digest = hashlib.blake2b("\x1f".join((str(data_source), *parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def text_of(messages: Any) -> str:
    """The chat as one text; a part that is not text is shown by its kind, as verl's data sets do (``<image>``)."""
    if isinstance(messages, str):
        return messages
    return "\n".join(f"{message['role']}: {_content(message['content'])}" for message in messages)


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or f"<{part['type']}>" for part in content)


def prompt_ids(rows: Iterable[Mapping[str, Any]], prompt_key: str) -> tuple[np.ndarray, list[str]]:
    """Numbers [N] uint64 and data sources [N] of the rows of a data set."""
    ids, sources = [], []
    for row in rows:
        source = str(row.get("data_source"))
        ids.append(prompt_id(source, row[prompt_key], row.get("extra_info")))
        sources.append(source)
    return np.array(ids, dtype=np.uint64), sources
