r"""MATH, levels 3 to 5. The answer is in the last ``\boxed{}`` of the worked solution; the level is ``Level 5``."""

import re
from collections.abc import Mapping
from typing import Any

from daro_verl.reward.extract import last_box
from daro_verl.toolkit.data import fields
from daro_verl.toolkit.data.answers import canonical
from daro_verl.toolkit.data.problem import LEVEL, NO_BOX, Dropped, Problem, Source

LEVELS = ("3", "4", "5")


def read(row: Mapping[str, Any]) -> Problem:
    level = str(fields.get(row, "level")).strip()
    number = re.search(r"\d+", level)  # some rows have "Level ?"
    if number is None or number.group() not in LEVELS:
        raise Dropped(LEVEL, level)
    text = fields.text(row, "problem")
    answer = last_box(fields.text(row, "solution"), in_solution=True)
    if answer is None:
        raise Dropped(NO_BOX, text[:80])
    return Problem(text, canonical(answer), answer, level=number.group(), subject=fields.label(row, "type"))


SOURCE = Source("math", read, "DigitalLearningGmbH/MATH-lighteval")
