r"""OlympiadBench, open-ended text-only English mathematics (OE_TO_maths_en_COMP). pass@1.

``final_answer`` is a list with one text, which may hold several answers, ``$69$,$84$``. A unit is a field of its own.
Copies have 674 or 675 rows.
"""

from collections.abc import Mapping
from typing import Any

from daro_verl.toolkit.data import fields
from daro_verl.toolkit.data.answers import canonical
from daro_verl.toolkit.data.problem import NEEDS_IMAGE, Dropped, Problem, Source

CORRECTIONS = {"t(0,4]": "(0,4]"}  # a letter of the text around it


def read(row: Mapping[str, Any]) -> Problem:
    images = [name for name, value in row.items() if name.startswith("image") and value not in (None, "", [])]
    if images:
        raise Dropped(NEEDS_IMAGE, ", ".join(images))
    text = fields.text(row, "question")
    if context := fields.label(row, "context"):
        text = f"{context}\n{text}"
    raw = fields.one_text(row, "final_answer")
    answer = canonical(raw)
    return Problem(
        text,
        CORRECTIONS.get(answer, answer),
        raw,
        id=fields.label(row, "id"),
        subject=fields.label(row, "subfield"),
        answer_type=fields.label(row, "answer_type"),
        unit=canonical(fields.label(row, "unit")),
    )


SOURCE = Source(
    "olympiadbench", read, "Hothan/OlympiadBench", config="OE_TO_maths_en_COMP", role="test", num_rows=(674, 675)
)
