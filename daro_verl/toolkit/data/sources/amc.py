"""AMC 12 of 2022 and 2023: 83 problems. avg@32. Answers are floats, ``142.0``."""

from collections.abc import Mapping
from typing import Any

from daro_verl.toolkit.data import fields
from daro_verl.toolkit.data.answers import canonical
from daro_verl.toolkit.data.problem import Problem, Source


def read(row: Mapping[str, Any]) -> Problem:
    answer = fields.get(row, "answer")
    return Problem(fields.text(row, "problem"), canonical(answer), str(answer), id=fields.label(row, "id"))


SOURCE = Source("amc", read, "AI-MO/aimo-validation-amc", role="test", num_rows=(83,), rollouts=32)
