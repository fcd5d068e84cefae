r"""Which answers can be scored, and that none of them stops the preparation."""

import pytest

from daro_verl.toolkit.data.answers import balanced, check_gold, obvious_reason

GOOD = [
    "5", "-2.5", r"\text{east}", "B", r"\frac{1}{2}", "69,84", "(3,4]", r"(-\infty, 0) \cup\{1\}", r"\arcsin(10/13)",
    r"4.5 \times 10^{33}", r"1 \pm \sqrt{19}", r"17.5\%", r"m_{\max }=n^{2}-n-1", r"5.4 \text{ cents}", "x=5",
    r"90^\circ", r"\begin{pmatrix} -1/3 \\ 2/3 \end{pmatrix}", "E_{1},E_{2}", r"\frac{1}{3} E_{1}+\frac{2}{3} E_{2}",
    r"\hbar \omega(v+1 / 2)-\frac{E_{0}^{2} e^{2}}{2 m \omega^{2}}",
    r"\frac{dM}{dt}=\frac{10^{5} L_{\odot}}{0.007 c^{2} M_{\odot}^{6}} M^{6}",
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
    "nothing mathematical": (r"\clubsuit_{}^{}\spadesuit", "reads nothing"),
}


@pytest.mark.parametrize(("text", "reason"), BAD.values(), ids=BAD)
def test_answers_that_cannot(text, reason):
    assert reason in check_gold(text)


def test_escaped_braces_are_no_braces():
    assert balanced(r"{1, 2\}") is False
    assert balanced(r"\{1, {2}\}") is True
    assert obvious_reason(r"\left\{1\right.") is None


def test_an_answer_that_hangs_costs_only_itself(monkeypatch):
    """No answer is known that hangs in the parser; with a tenth of a millisecond any does."""
    monkeypatch.setattr("daro_verl.toolkit.data.answers.DEADLINE", 1e-4)
    assert "takes more than" in check_gold(r"\frac{x^2+1}{\sqrt{y}}")
    monkeypatch.setattr("daro_verl.toolkit.data.answers.DEADLINE", 60.0)
    assert check_gold("x+1") is None
