"""What counts as the answer of a response."""

import time

import pytest

from daro_verl.reward.extract import LONGEST_SEARCHED, final_answer

ANSWERS = {
    "one box": (r"so \boxed{5}.", "5"),
    "last of two": (r"\boxed{3} then \boxed{5}", "5"),
    "two boxes in a row are not a set": (r"\boxed{3} and \boxed{5}", "5"),
    "nested braces": (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
    "set braces": (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
    "one set brace": (r"\boxed{\left\{ x \right.}", r"\left\{ x \right."),
    "box in a box": (r"\boxed{\boxed{7}}", "7"),
    "space before the brace": (r"\boxed {7 }", "7"),
    "cut off": (r"\boxed{3} but \boxed{\frac{1}{2}", "3"),
    "stray closing brace": (r"} } \boxed{4}}", "4"),
    "row end before a brace": (r"\\{ \boxed{4}", "4"),
    "after the thinking": (r"<think>\boxed{1}</think> \boxed{2}", "2"),
    "only in the thinking": (r"<think>\boxed{1}</think> done", None),
    "thinking opened by the prompt": (r"\boxed{1}</think> done", None),
    "after the last of two thoughts": (r"a</think>\boxed{1}<think>b</think>\boxed{2}", "2"),
    "thinking never closed": (r"<think>perhaps \boxed{1}", None),
    "answer, then thinking again": (r"</think>\boxed{1}<think>\boxed{2}", "1"),
    "no box": ("the answer is 5", None),
    "empty box": (r"\boxed{}", ""),
    "no braces": (r"\boxed 5", None),
    "nothing": ("", None),
}
NOT_TEXT = [None, 5, 2.5, b"\\boxed{5}", [r"\boxed{5}"], {"a": r"\boxed{5}"}, object()]


@pytest.mark.parametrize(("response", "answer"), ANSWERS.values(), ids=ANSWERS.keys())
def test_the_answer_is_the_last_balanced_box_after_the_thinking(response, answer):
    assert final_answer(response) == answer


@pytest.mark.parametrize("response", NOT_TEXT, ids=lambda value: type(value).__name__)
def test_what_is_not_text_has_no_answer(response):
    assert final_answer(response) is None


@pytest.mark.parametrize("unit", [r"\boxed{", "{", "}", r"\boxed{}", "\\", r"\{", "</think>", "<think>", "\x00"])
def test_megabytes_take_no_time(unit):
    start = time.process_time()
    final_answer(r"\boxed{" + unit * (2_000_000 // len(unit)))
    assert time.process_time() - start < 1.0


def test_only_the_end_is_searched():
    assert final_answer(r"\boxed{1}" + " " * LONGEST_SEARCHED) is None
    assert final_answer(" " * LONGEST_SEARCHED + r"\boxed{1}") == "1"
