r"""Which answers can be scored, and that none of them stops the preparation."""

import sys

import pytest

from daro_verl.data.gold_process import GoldProcess
from daro_verl.data.golds import balanced, check_gold, obvious_reason

GOOD = [
    "5", "-2.5", r"\text{east}", "B", r"\frac{1}{2}", "69,84", "(3,4]", r"(-\infty, 0) \cup\{1\}", r"\arcsin(10/13)",
    r"4.5 \times 10^{33}", r"1 \pm \sqrt{19}", r"17.5\%", r"m_{\max }=n^{2}-n-1", r"5.4 \text{ cents}", "x=5",
    r"90^\circ", r"\begin{pmatrix} -1/3 \\ 2/3 \end{pmatrix}",
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_answers_that_can_be_scored(text):
    assert check_gold(text) is None


BAD = {
    "empty": (" ", "empty"),
    "proof": ("Proof", "no answer"),
    "braces": (r"\frac{1}{", "braces do not match"),
    "closing first": ("}1{", "braces do not match"),
    "an explanation": ("because " * 60, "characters"),
    "nothing mathematical": (r"E_{1},E_{2}", "reads nothing"),
}


@pytest.mark.parametrize(("text", "reason"), BAD.values(), ids=BAD)
def test_answers_that_cannot(text, reason):
    assert reason in check_gold(text)


def test_escaped_braces_are_no_braces():
    assert balanced(r"{1, 2\}") is False
    assert balanced(r"\{1, {2}\}") is True
    assert obvious_reason(r"\left\{1\right.") is None


ECHO = """
import sys, time
print("null", flush=True)
for line in sys.stdin:
    if "hang" in line:
        time.sleep(60)
    if "die" in line:
        sys.exit(1)
    print('"seen"', flush=True)
"""


@pytest.mark.parametrize(("text", "reason"), [("hang", "takes more than 0.3 s"), ("die", "ends the process")])
def test_an_answer_that_hangs_or_kills_costs_only_itself(text, reason):
    process = GoldProcess(0.3, (sys.executable, "-c", ECHO))
    try:
        assert process.reason("first") == "seen"
        assert reason in process.reason(text)
        assert process.reason("next") == "seen"  # in another process
    finally:
        process.stop()
    assert process._process is None
