r"""The training sets: Openr1-Math-46k-8192, DAPO-Math-17k and MATH (levels 3 to 5)."""

import re
from collections.abc import Mapping
from typing import Any

from daro_verl.reward.extract import last_box
from daro_verl.toolkit.data import raw_fields as fields
from daro_verl.toolkit.data.answers import canonical
from daro_verl.toolkit.data.problem import LEVEL, NO_BOX, Dropped, Problem, Source
from daro_verl.toolkit.data.same_problem import without_dapo_instruction

LEVELS = ("3", "4", "5")


def openr1(row: Mapping[str, Any]) -> Problem:
    """46k problems of OpenR1-Math, in verl's own schema, with a long think prompt as system message.

    The answer is ``reward_model.ground_truth``. ``target``, a worked solution of another model, is not used.
    """
    system, user = fields.system_and_user(row)
    answer = fields.inner(row, "reward_model", "ground_truth")
    return Problem(user, canonical(answer), str(answer), id=_index(row), system=system)


def dapo(row: Mapping[str, Any]) -> Problem:
    """DAPO-Math-17k, in both schemas. The original file has each problem about a hundred times, the processed one once.

    The processed one has ``prompt`` and ``solution`` (the final answer) as texts. The original one is in verl's schema.
    Its problems are inside an instruction to end with a line ``Answer: ...``. That instruction is removed, because
    rewards here read a box.
    """
    if isinstance(fields.structure(fields.get(row, "prompt")), str):
        text = fields.text(row, "prompt")
    else:
        _, text = fields.system_and_user(row)
    if row.get("solution") not in (None, ""):
        answer = row["solution"]
        answer = (last_box(answer, in_solution=True) or answer) if isinstance(answer, str) else answer
    else:
        answer = fields.inner(row, "reward_model", "ground_truth")
    return Problem(without_dapo_instruction(text), canonical(answer), str(answer), id=_index(row))


def math(row: Mapping[str, Any]) -> Problem:
    r"""MATH. The answer is in the last ``\boxed{}`` of the worked solution. The level looks like ``Level 5``."""
    level = str(fields.get(row, "level")).strip()
    number = re.search(r"\d+", level)  # some rows have "Level ?"
    if number is None or number.group() not in LEVELS:
        raise Dropped(LEVEL, level)
    text = fields.text(row, "problem")
    answer = last_box(fields.text(row, "solution"), in_solution=True)
    if answer is None:
        raise Dropped(NO_BOX, text[:80])
    return Problem(text, canonical(answer), answer, level=number.group(), subject=fields.label(row, "type"))


def _index(row: Mapping[str, Any]) -> str:
    """``extra_info.index``, or the empty string."""
    extra = fields.structure(row.get("extra_info"))
    return fields.label(extra, "index") if isinstance(extra, Mapping) else ""


SOURCES = (
    Source("openr1", openr1, "Elliott/Openr1-Math-46k-8192"),
    Source("dapo", dapo, "open-r1/DAPO-Math-17k-Processed", config="all"),
    Source("math", math, "DigitalLearningGmbH/MATH-lighteval"),
)
