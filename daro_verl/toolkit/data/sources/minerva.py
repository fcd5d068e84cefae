r"""Minerva: 272 problems of undergraduate courses. pass@1. Numbers are in e-notation, units are in the problem.

The hub's file has ``question`` and ``answer``; other copies have ``problem`` and a ``solution`` with a box.
"""

from collections.abc import Mapping
from typing import Any

from daro_verl.reward.extract import last_box
from daro_verl.toolkit.data import fields
from daro_verl.toolkit.data.answers import canonical
from daro_verl.toolkit.data.problem import NO_BOX, Dropped, Problem, Source


def read(row: Mapping[str, Any]) -> Problem:
    text = fields.text(row, "question", "problem")
    answer = row.get("answer")
    if answer is None or answer == "":
        answer = (
            last_box(fields.text(row, "solution"), in_solution=True)
            if row.get("solution")
            else fields.get(row, "answer")
        )
    if answer is None:
        raise Dropped(NO_BOX, text[:80])
    return Problem(text, canonical(answer), str(answer), id=fields.label(row, "idx"), subject=fields.label(row, "type"))


SOURCE = Source("minerva", read, "math-ai/minervamath", splits=("test",), role="test", num_rows=(272,))
