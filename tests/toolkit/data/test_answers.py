r"""Answers and fields as files write them."""

import pytest

from daro_verl.reward.extract import last_box
from daro_verl.toolkit.data import raw_fields as fields
from daro_verl.toolkit.data.answers import canonical, competition_integer
from daro_verl.toolkit.data.problem import MISSING, NOT_AN_INTEGER, WRONG_TYPE, Dropped

CANONICAL = {
    "dollar delimiters": ("$2^{1009}$", "2^{1009}"),
    "several answers": ("$69$,$84$", "69,84"),
    "currency": (r"\$18.90", "18.90"),
    "e-notation": ("4.5e33", r"4.5 \times 10^{33}"),
    "negative exponent": ("2.7778e-6", r"2.7778 \times 10^{-6}"),
    "e-notation without point": ("1E5", r"1 \times 10^{5}"),
    "e as Euler's number": ("e^{t} / 3", "e^{t} / 3"),
    "e after a variable": ("x2e3", "x2e3"),
    "Python's decimal": ("-1./3", "-1/3"),
    "repeating decimal": (r"0.\overline{12}", r"0.\overline{12}"),
    "repeating digit": (r"1.\dot{6}", r"1.\dot{6}"),
    "space after the point": (r"3.\ 5", r"3.\ 5"),
    "Python's decimal in a product": ("2.*3.", "2*3"),
    "NumPy": ("np.arcsin(10/13)", r"\arcsin(10/13)"),
    "full stop": (r"$(-\infty, 0) \cup\{1\}$.", r"(-\infty, 0) \cup\{1\}"),
    "float": (142.0, "142"),
    "fraction as float": (0.5, "0.5"),
    "int": (7, "7"),
    "interval": ("[-1,-\\frac{1}{2}]", "[-1,-\\frac{1}{2}]"),
    "unit": (r"5.4 \text{ cents}", r"5.4 \text{ cents}"),
}


@pytest.mark.parametrize(("raw", "expected"), CANONICAL.values(), ids=CANONICAL)
def test_canonical(raw, expected):
    assert canonical(raw) == expected
    assert canonical(canonical(raw)) == expected


@pytest.mark.parametrize("value", [None, True, ["2"], float("nan"), float("inf"), 2.0**53], ids=repr)
def test_what_is_no_answer_is_refused(value):
    with pytest.raises(Dropped) as caught:
        canonical(value)
    assert caught.value.reason == WRONG_TYPE


@pytest.mark.parametrize(
    ("raw", "expected"), [("70", "70"), ("070", "70"), ("0", "0"), (70.0, "70"), ("336^\\circ", "336"), (999, "999")]
)
def test_competition_integer(raw, expected):
    assert competition_integer(raw) == expected


@pytest.mark.parametrize("raw", ["1000", "-1", "2.5", "x", r"\frac{1}{2}"])
def test_other_answers_are_not_of_a_competition(raw):
    with pytest.raises(Dropped) as caught:
        competition_integer(raw)
    assert caught.value.reason == NOT_AN_INTEGER


BOXES = {
    "nested braces": (r"so \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
    "the last": (r"\boxed{1} and \boxed{2}", "2"),
    "escaped braces": (r"\boxed{\{1,2\}}", r"\{1,2\}"),
    "fbox": (r"\fbox{3}", "3"),
    "without braces": (r"$\boxed 2$", "2"),
    "a later one is cut off": (r"\boxed{1} and \boxed{2", "1"),
    "none": ("the answer is 2", None),
    "empty": (r"\boxed{}", None),
    "an empty one at the end": (r"\boxed{1} \boxed{ }", "1"),
    "a word, then a full stop": (r"\boxed 2. And so on", "2"),
}


@pytest.mark.parametrize(("text", "expected"), BOXES.values(), ids=BOXES)
def test_the_box_of_a_worked_solution(text, expected):
    assert last_box(text, in_solution=True) == expected


ONE_TEXT = {
    "list": (["2"], "2"),
    "list as Python text": ("['$69$,$84$']", "$69$,$84$"),
    "list as JSON text": ('["2"]', "2"),
    "plain text": ("2", "2"),
    "interval that looks like a list": ("[1,2]", "[1,2]"),
    "interval in a list as text": ("['[1,2]']", "[1,2]"),
    "two texts": (["1", "2"], "1, 2"),
}


@pytest.mark.parametrize(("value", "expected"), ONE_TEXT.values(), ids=ONE_TEXT)
def test_one_text(value, expected):
    assert fields.one_text({"final_answer": value}, "final_answer") == expected


@pytest.mark.parametrize("value", [None, "", "  ", [], [""]], ids=repr)
def test_a_field_without_value_is_missing(value):
    with pytest.raises(Dropped) as caught:
        fields.one_text({"final_answer": value}, "final_answer")
    assert caught.value.reason == MISSING
