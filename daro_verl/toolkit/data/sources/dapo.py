"""DAPO-Math-17k, whose original file repeats each problem about a hundred times; the processed one has each once.

Both schemas are read: the processed one has ``prompt`` and ``solution`` (the final answer) as texts, the original is in
verl's schema, with the problem wrapped in an instruction to end with a line ``Answer: ...``. The wrapping is taken
off, because rewards here read a box.
"""

import re
from collections.abc import Mapping
from typing import Any

from daro_verl.reward.extract import last_box
from daro_verl.toolkit.data import fields
from daro_verl.toolkit.data.answers import canonical
from daro_verl.toolkit.data.problem import Problem, Source

_BEFORE = re.compile(r"^Solve the following math problem step by step\.[^\n]*\n+")
_AFTER = re.compile(r"\n+Remember to put your answer on its own line[^\n]*$")


def read(row: Mapping[str, Any]) -> Problem:
    if isinstance(fields.structure(fields.get(row, "prompt")), str):
        text = fields.text(row, "prompt")
    else:
        _, text = fields.system_and_user(row)
    if row.get("solution") not in (None, ""):
        answer = row["solution"]
        answer = (last_box(answer, in_solution=True) or answer) if isinstance(answer, str) else answer
    else:
        answer = fields.inner(row, "reward_model", "ground_truth")
    extra = fields.structure(row.get("extra_info"))
    identifier = fields.label(extra, "index") if isinstance(extra, Mapping) else ""
    return Problem(unwrapped(text), canonical(answer), str(answer), id=identifier)


def unwrapped(text: str) -> str:
    """The problem without the original file's instruction around it."""
    return _AFTER.sub("", _BEFORE.sub("", text.strip())).strip()


SOURCE = Source("dapo", read, "open-r1/DAPO-Math-17k-Processed", config="all")
