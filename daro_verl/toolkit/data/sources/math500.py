"""MATH-500: 500 problems of MATH's test split. pass@1."""

from collections.abc import Mapping
from typing import Any

from daro_verl.toolkit.data import fields
from daro_verl.toolkit.data.answers import canonical
from daro_verl.toolkit.data.problem import Problem, Source


def read(row: Mapping[str, Any]) -> Problem:
    answer = fields.get(row, "answer")
    return Problem(
        fields.text(row, "problem"),
        canonical(answer),
        str(answer),
        id=fields.label(row, "unique_id"),
        level=fields.label(row, "level"),
        subject=fields.label(row, "subject"),
    )


SOURCE = Source("math500", read, "HuggingFaceH4/MATH-500", splits=("test",), role="test", num_rows=(500,))
