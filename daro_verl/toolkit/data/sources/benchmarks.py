r"""The six benchmarks of the paper, and GSM8K, with the numbers of problems and responses behind published scores.

To add one, write a function from a raw row to a problem, and add an entry to ``SOURCES``.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from daro_verl.reward.extract import last_box
from daro_verl.toolkit.data import raw_fields as fields
from daro_verl.toolkit.data.answers import canonical, competition_integer
from daro_verl.toolkit.data.problem import MISSING, NEEDS_IMAGE, NO_BOX, Dropped, Problem, Source

CORRECTIONS = {"t(0,4]": "(0,4]"}  # in OlympiadBench, the answer includes a letter of its text


def aime(row: Mapping[str, Any]) -> Problem:
    r"""AIME, both papers of a year. Answers are integers; one of 2025 has a degree sign, ``336^\circ``."""
    answer = fields.get(row, "answer")
    text = fields.text(row, "problem", "question")
    return Problem(text, competition_integer(answer), str(answer), id=fields.label(row, "id"))


def amc(row: Mapping[str, Any]) -> Problem:
    """AMC 12 of 2022 and 2023. Answers are floats, ``142.0``."""
    answer = fields.get(row, "answer")
    return Problem(fields.text(row, "problem"), canonical(answer), str(answer), id=fields.label(row, "id"))


def math500(row: Mapping[str, Any]) -> Problem:
    """MATH-500, a part of MATH's test split."""
    answer = fields.get(row, "answer")
    return Problem(
        fields.text(row, "problem"),
        canonical(answer),
        str(answer),
        id=fields.label(row, "unique_id"),
        level=fields.label(row, "level"),
        subject=fields.label(row, "subject"),
    )


def minerva(row: Mapping[str, Any]) -> Problem:
    """Minerva, from undergraduate courses. Numbers are in e-notation, and units are in the problem.

    The hub's file has ``question`` and ``answer``; other copies have ``problem`` and a ``solution`` with a box.
    """
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


def olympiadbench(row: Mapping[str, Any]) -> Problem:
    """OlympiadBench, open-ended text-only English mathematics (OE_TO_maths_en_COMP). Copies have 674 or 675 rows.

    ``final_answer`` is a list with one text, which may hold several answers, ``$69$,$84$``. A unit has its own field.
    """
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


def gsm8k(row: Mapping[str, Any]) -> Problem:
    """GSM8K. The answer follows the last ``####`` of the worked solution."""
    _, mark, answer = fields.text(row, "answer").rpartition("####")
    if not mark or not answer.strip():
        raise Dropped(MISSING, "a number after #### in answer")
    return Problem(fields.text(row, "question"), canonical(answer), answer.strip(), id=fields.label(row, "idx"))


_avg32 = partial(Source, role="test", rollouts=32)
_pass1 = partial(Source, role="test")
SOURCES = (
    _avg32("aime24", aime, "HuggingFaceH4/aime_2024", num_rows=(30,)),
    _avg32("aime25", aime, "math-ai/aime25", splits=("test",), num_rows=(30,)),
    _avg32("amc", amc, "AI-MO/aimo-validation-amc", num_rows=(83,)),
    _pass1("math500", math500, "HuggingFaceH4/MATH-500", splits=("test",), num_rows=(500,)),
    _pass1("minerva", minerva, "math-ai/minervamath", splits=("test",), num_rows=(272,)),
    _pass1("olympiadbench", olympiadbench, "Hothan/OlympiadBench", config="OE_TO_maths_en_COMP", num_rows=(674, 675)),
)
MORE = (_pass1("gsm8k", gsm8k, "openai/gsm8k", config="main", splits=("test",), num_rows=(1319,)),)
