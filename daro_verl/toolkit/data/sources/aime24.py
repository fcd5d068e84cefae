"""AIME 2024, both papers: 30 problems. avg@32."""

from collections.abc import Mapping
from typing import Any

from daro_verl.toolkit.data import fields
from daro_verl.toolkit.data.answers import competition_integer
from daro_verl.toolkit.data.problem import Problem, Source


def read(row: Mapping[str, Any]) -> Problem:
    answer = fields.get(row, "answer")
    text = fields.text(row, "problem")
    return Problem(text, competition_integer(answer), str(answer), id=fields.label(row, "id"))


SOURCE = Source("aime24", read, "HuggingFaceH4/aime_2024", role="test", num_rows=(30,), rollouts=32)
