"""Fields of raw rows. A field that is absent, null or blank drops the row. Garbled fields are repaired."""

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any

from daro_verl.toolkit.data.problem import MISSING, WRONG_TYPE, Dropped


def get(row: Mapping[str, Any], *names: str) -> Any:
    """The first of these fields that has a value.

    Raises:
        Dropped: none of the fields has a value.
    """
    for name in names:
        value = row.get(name)
        if value is not None and value != "" and not (isinstance(value, str) and not value.strip()):
            return value
    raise Dropped(MISSING, " or ".join(names))


def text(row: Mapping[str, Any], *names: str) -> str:
    """The first of these fields as text, stripped."""
    value = get(row, *names)
    if not isinstance(value, str):
        raise Dropped(WRONG_TYPE, f"{' or '.join(names)} is {type(value).__name__}, expected text")
    return value.strip()


def label(row: Mapping[str, Any], name: str) -> str:
    """A field that may be absent, as text. In some files, identifiers and subjects are numbers."""
    value = row.get(name)
    return "" if value is None else str(value).strip()


def structure(value: Any) -> Any:
    """Parse a list or mapping that a CSV file or a careless export wrote as text. Return anything else unchanged."""
    if not isinstance(value, str) or value.strip()[:1] not in ("[", "{"):
        return value
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return value


def messages(row: Mapping[str, Any], name: str = "prompt") -> list[tuple[str, str]]:
    """A conversation as (role, content) pairs."""
    value = structure(get(row, name))
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise Dropped(WRONG_TYPE, f"{name} is {type(value).__name__}, expected a list of messages")
    pairs = []
    for message in value:
        if not isinstance(message, Mapping):
            raise Dropped(WRONG_TYPE, f"a message in {name} is {type(message).__name__}")
        pairs.append((text(message, "role"), text(message, "content")))
    return pairs


def system_and_user(row: Mapping[str, Any]) -> tuple[str, str]:
    """The system message, or an empty string, and the only user message of a row's ``prompt``."""
    pairs = messages(row)
    system = [content for role, content in pairs if role == "system"]
    user = [content for role, content in pairs if role == "user"]
    if len(user) != 1 or len(system) > 1 or len(pairs) != len(user) + len(system):
        roles = ", ".join(role for role, _ in pairs)
        raise Dropped(WRONG_TYPE, f"prompt has the roles {roles or 'none'}, expected one user message")
    return (system[0] if system else ""), user[0]


def inner(row: Mapping[str, Any], outer: str, name: str) -> Any:
    """``row[outer][name]``. ``outer`` may be a mapping or its text."""
    value = structure(get(row, outer))
    if not isinstance(value, Mapping):
        raise Dropped(WRONG_TYPE, f"{outer} is {type(value).__name__}, expected a mapping")
    try:
        return get(value, name)
    except Dropped:
        raise Dropped(MISSING, f"{outer}.{name}") from None


def one_text(row: Mapping[str, Any], name: str) -> str:
    r"""The text in a list of one text. The list may be written as text: ``['2']``, ``"['2']"`` or ``"2"``.

    A text such as ``[1,2]`` is an interval, not a list of numbers.
    """
    value = get(row, name)
    parsed = structure(value)
    if isinstance(parsed, Sequence) and not isinstance(parsed, str) and all(isinstance(part, str) for part in parsed):
        if not parsed or not any(part.strip() for part in parsed):
            raise Dropped(MISSING, name)
        return ", ".join(part.strip() for part in parsed)
    if isinstance(value, str):
        return value.strip()
    raise Dropped(WRONG_TYPE, f"{name} is {type(value).__name__}, expected a list of texts")
