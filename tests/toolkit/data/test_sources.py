r"""Each source on rows of the real schema, with the traps of the real files."""

import json

import pytest

from daro_verl.toolkit.data.problem import (
    LEVEL,
    MISSING,
    NEEDS_IMAGE,
    NO_BOX,
    NOT_AN_INTEGER,
    WRONG_TYPE,
    Dropped,
)  # fmt: skip
from daro_verl.toolkit.data.sources import BENCHMARKS, SOURCES
from tests.toolkit.data import raw


def read(name, row):
    return SOURCES[name].read(row)


def reason(name, row):
    with pytest.raises(Dropped) as caught:
        read(name, row)
    return caught.value.reason


def test_openr1_has_a_system_message_of_its_own():
    problem = read("openr1", raw.openr1("Find $x$.", "$\\frac{1}{2}$", index=7))
    assert (problem.text, problem.answer, problem.system, problem.id) == ("Find $x$.", r"\frac{1}{2}", raw.THINK, "7")
    assert problem.raw_answer == "$\\frac{1}{2}$"


def test_openr1_from_a_file_that_holds_its_columns_as_text():
    row = raw.openr1("Find $x$.", "2") | {"target": None}
    as_text = {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in row.items()}
    python_text = {name: str(value) if isinstance(value, dict | list) else value for name, value in row.items()}
    assert read("openr1", as_text) == read("openr1", python_text) == read("openr1", row)


def test_openr1_broken_rows():
    row = raw.openr1("Find $x$.", "2")
    assert reason("openr1", row | {"reward_model": {"ground_truth": None, "style": "rule"}}) == MISSING
    assert reason("openr1", row | {"reward_model": None}) == MISSING
    assert reason("openr1", row | {"prompt": row["prompt"][:1]}) == WRONG_TYPE
    assert reason("openr1", row | {"prompt": row["prompt"] + row["prompt"][1:]}) == WRONG_TYPE
    assert reason("openr1", row | {"prompt": "Find $x$."}) == WRONG_TYPE


@pytest.mark.parametrize("make", [raw.dapo_original, raw.dapo_processed])
def test_dapo_in_both_schemas_is_the_bare_problem(make):
    problem = read("dapo", make("Find $x$ in\n\ntwo paragraphs.", "34"))
    assert (problem.text, problem.answer, problem.system) == ("Find $x$ in\n\ntwo paragraphs.", "34", "")
    assert problem.id == "9a9b6eb4-a1cb-49d1-8c1e-62eaf2f74079"  # text, not a number


def test_dapo_with_a_number_or_a_box_as_solution():
    assert read("dapo", raw.dapo_processed("Find $x$.", "34") | {"solution": 34}).answer == "34"
    assert read("dapo", raw.dapo_processed("Find $x$.", r"It is \boxed{34}.")).answer == "34"
    assert reason("dapo", {"prompt": "Find $x$.", "solution": None}) == MISSING


def test_math_takes_the_last_box_and_levels_3_to_5():
    problem = read("math", raw.math("Find $x$.", r"$\boxed{1}$, no: $\boxed{\dfrac{1}{2}}$", "Level 4"))
    assert (problem.answer, problem.level, problem.subject) == (r"\dfrac{1}{2}", "4", "Algebra")
    assert reason("math", raw.math("Find $x$.", r"\boxed{1}", "Level 2")) == LEVEL
    assert reason("math", raw.math("Find $x$.", r"\boxed{1}", "Level ?")) == LEVEL
    assert reason("math", raw.math("Find $x$.", "It is 1.")) == NO_BOX


def test_aime24_answers_have_leading_zeros():
    assert read("aime24", raw.aime24("Find $n$.", "073")).answer == "73"
    assert reason("aime24", raw.aime24("Find $n$.", "1/2")) == NOT_AN_INTEGER


def test_aime25_has_an_answer_with_a_degree_sign():
    problem = read("aime25", raw.aime25("Find the angle.", "336^\\circ", "14"))
    assert (problem.answer, problem.raw_answer, problem.id) == ("336", "336^\\circ", "14")


def test_amc_answers_are_floats():
    assert read("amc", raw.amc("How far?", 142.0)).answer == "142"
    assert reason("amc", raw.amc("How far?", None)) == MISSING


def test_math500_has_currency_and_intervals():
    problem = read("math500", raw.math500("What is the price?", r"\$18.90", level=3))
    assert (problem.answer, problem.level, problem.id) == ("18.90", "3", "test/precalculus/807.json")
    assert read("math500", raw.math500("Solve.", "(3,4]")).answer == "(3,4]"


def test_minerva_has_e_notation_and_numpy():
    assert read("minerva", raw.minerva("What is $L$?", "4.5e33")).answer == r"4.5 \times 10^{33}"
    assert read("minerva", raw.minerva("What angle?", "np.arcsin(10/13)")).answer == r"\arcsin(10/13)"


def test_minerva_of_other_copies_has_a_solution():
    row = {"problem": "What is $s$?", "solution": r"\[ s=\boxed{1.6} \mathrm{~cm} \]", "type": "Astronomy"}
    assert read("minerva", row).answer == "1.6"
    assert reason("minerva", row | {"solution": "no box"}) == NO_BOX
    assert reason("minerva", {"question": "What is $s$?", "answer": None}) == MISSING


OLYMPIAD = {
    "several answers in one text": (["$69$,$84$"], "69,84"),
    "tuples": (["$(1,8,19), (2,7,13)$"], "(1,8,19), (2,7,13)"),
    "list as text": ("['$1003$']", "1003"),
    "interval": (["$[\\frac{1}{2}, 8]$"], "[\\frac{1}{2}, 8]"),
    "a letter before an interval": (["$t(0,4]$"], "(0,4]"),
}


@pytest.mark.parametrize(("final_answer", "expected"), OLYMPIAD.values(), ids=OLYMPIAD)
def test_olympiadbench_answers(final_answer, expected):
    assert read("olympiadbench", raw.olympiadbench("Find all $n$.", final_answer)).answer == expected


def test_olympiadbench_units_contexts_and_images():
    row = raw.olympiadbench("Find the area.", ["$8$"], unit="$cm^2$")
    problem = read("olympiadbench", row | {"context": "Let $ABC$ be a triangle."})
    assert (problem.unit, problem.answer) == ("cm^2", "8")
    assert problem.text == "Let $ABC$ be a triangle.\nFind the area."
    assert reason("olympiadbench", row | {"image_1": {"bytes": b"..."}}) == NEEDS_IMAGE


def test_benchmarks_have_the_published_sizes_and_repetitions():
    sizes = {name: (source.num_rows, source.rollouts) for name, source in BENCHMARKS.items()}
    assert sizes == {
        "aime24": ((30,), 32),
        "aime25": ((30,), 32),
        "amc": ((83,), 32),
        "math500": ((500,), 1),
        "minerva": ((272,), 1),
        "olympiadbench": ((674, 675), 1),
    }
