r"""One spelling for an answer: the same rules for what the model wrote and for the gold answer."""

import re
from typing import NamedTuple

from daro_verl.reward.characters import to_latex
from daro_verl.reward.units import split_unit

# Longer texts are compared as they are, and with nothing else: no gold answer is near this.
LONGEST_ANSWER = 2_000

_FUNCTIONS = "arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|ln|log|exp|pi"
_DIGIT_GAP = r"(?:(?<!\\)\\[,!;: ]|\{,\}|~)"
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\\$|\$|\\displaystyle|\\textstyle|\\limits", ""),  # a gold answer may be \$18.90
        (r"(?<!\\)\\[()\[\]]", ""),  # \( \) \[ \], but not a row end \\[
        (rf"(?<=[0-9]){_DIGIT_GAP}(?=[0-9]{{3}}(?![0-9]))", ""),  # 1\,234 and 1{,}234
        (r"(?<!\\)\\[,!;:> ]|~|\\q?quad(?![a-zA-Z])|[\s\x00]+", " "),
        (r"\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])\.?", ""),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\(?:mathrm|mathit|mathsf|textbf|textit|textrm|textnormal|mbox)(?![a-zA-Z])", r"\\text"),
        (r"\\(?:mathbf|boldsymbol|bm)\s?\{([^{}]*)\}", r"\1"),
        (r"\\frac\s?([0-9])\s?([0-9])", r"\\frac{\1}{\2}"),
        (r"\\frac\s?([0-9])\s?\{", r"\\frac{\1}{"),
        (r"\\frac\s?(\{[^{}]*\})\s?([0-9])", r"\\frac\1{\2}"),
        (r"\\text\s?\{\s*(percent|percentage|pct|\\?%)\s*\}|\bpercent(?:age)?\b|\\%", "%"),
        (r"\*\*", "^"),
        (r"(?<![a-zA-Z])(?:np|numpy|math|sympy)\.", ""),  # a gold answer may be np.arcsin(10/13)
        (r"(?<![a-zA-Z\\])\\?sqrt\s?\(([^()]*)\)", r"\\sqrt{\1}"),
        (rf"(?<![a-zA-Z\\])({_FUNCTIONS})(?![a-zA-Z])", r"\\\1 "),
        (  # 4.5e33, which math-verify reads as 4.5 e 33
            r"(?<![a-zA-Z0-9.\\])([0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE]([+-]?)0*([0-9]+)(?![a-zA-Z0-9.])",
            lambda found: rf"{found[1]} \times 10^{{{found[2].replace('+', '')}{found[3]}}}",
        ),
    )
]
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_ALL_TEXT = re.compile(r"\\text\s?\{([^{}]*)\}")
_ONE_LETTER = re.compile(r"\\text\s?\{\s?([a-zA-Z])\s?\}")  # no unit: a symbol, which math-verify drops
_ALL_BRACES = re.compile(r"\{([^{}]*)\}")
_CURRENCY = re.compile(r"^([+-]?)\s?(?:£|€|¥|Rs\.?|USD)\s?(?=[0-9.])")
_PERCENT = re.compile(r"\s?%$")


class Answer(NamedTuple):
    """A normalised answer: ``text`` without unit and percent sign; ``unit`` as :func:`split_unit` names it."""

    text: str
    unit: str | None = None
    percent: bool = False


def normalise(raw: str) -> Answer:
    """The answer in one spelling. Never raises, takes time linear in the text, and normalises only up to
    :data:`LONGEST_ANSWER` characters: a longer text is only stripped.
    """
    text = raw.strip()
    if len(text) > LONGEST_ANSWER:
        return Answer(text)
    text = to_latex(text)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = _unwrap(_CURRENCY.sub(r"\1", _trim(text)))
    without_sign = _PERCENT.sub("", text)
    percent = without_sign != text and bool(without_sign)
    text, unit = split_unit(without_sign if percent else text)
    text = _ONE_LETTER.sub(r"\1", _unwrap(_trim(text)))
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    return Answer(text, unit, percent)


def _trim(text: str) -> str:
    """Without space around and without the stop that ends a sentence."""
    return re.sub(r" {2,}", " ", text).strip().rstrip(".,; ").rstrip()


def _unwrap(text: str) -> str:
    r"""The content of ``\text{...}`` or ``{...}`` where that is the whole text."""
    for pattern in (_ALL_TEXT, _ALL_BRACES):
        if found := pattern.fullmatch(text):
            text = found[1].strip()
    return text
