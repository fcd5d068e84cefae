r"""One spelling for an answer. The same rules apply to the model's answer and to the gold answer."""

import re
from typing import NamedTuple

from daro_verl.reward.units import split_unit

# Longer texts are only compared as they are, because no gold answer is nearly as long.
LONGEST_ANSWER = 2_000

# Characters that models write instead of LaTeX.
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_SAME = {
    "\N{MINUS SIGN}": "-",
    "\N{SMALL HYPHEN-MINUS}": "-",
    "\N{NO-BREAK SPACE}": " ",
    "\N{THIN SPACE}": " ",
    "\N{NARROW NO-BREAK SPACE}": " ",
    "\N{IDEOGRAPHIC SPACE}": " ",
    "\N{ZERO WIDTH SPACE}": "",
    "\N{MULTIPLICATION SIGN}": r"\times ",
    "\N{MIDDLE DOT}": r"\cdot ",
    "\N{DOT OPERATOR}": r"\cdot ",
    "\N{DIVISION SIGN}": "/",
    "\N{FRACTION SLASH}": "/",
    "\N{GREEK SMALL LETTER PI}": r"\pi ",
    "\N{GREEK SMALL LETTER THETA}": r"\theta ",
    "\N{INFINITY}": r"\infty ",
    "\N{DEGREE SIGN}": r"^\circ ",
    "\N{LESS-THAN OR EQUAL TO}": r"\le ",
    "\N{GREATER-THAN OR EQUAL TO}": r"\ge ",
    "\N{NOT EQUAL TO}": r"\ne ",
    "\N{UNION}": r"\cup ",
    "\N{INTERSECTION}": r"\cap ",
    "\N{ELEMENT OF}": r"\in ",
    "\N{EMPTY SET}": r"\emptyset ",
    "\N{PLUS-MINUS SIGN}": r"\pm ",
    "\N{VULGAR FRACTION ONE HALF}": r"\frac{1}{2}",
    "\N{VULGAR FRACTION ONE QUARTER}": r"\frac{1}{4}",
    "\N{VULGAR FRACTION THREE QUARTERS}": r"\frac{3}{4}",
    "\x00": "",
}
_TABLE: dict[int, int | str] = {**_FULL_WIDTH, **{ord(character): latex for character, latex in _SAME.items()}}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+")
_ROOT = re.compile("√ ?([0-9.]+|[a-zA-Z])?")  # √21, not the \\sqrt21 that LaTeX sets as √2 1

_TOKEN = r"(\\(?:pi|theta|alpha|beta|gamma|lambda|mu|phi|omega)(?![a-zA-Z])|[0-9a-zA-Z])"  # what \frac takes bare
_FUNCTIONS = "arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|ln|log|exp|pi"
_DIGIT_GAP = r"(?:,?\s?\\!\s?|(?<!\\)\\[,;: ]|\{,\}|~)"
_INSIDE = "[^{}]*"
for _ in range(3):  # levels of braces inside
    _INSIDE = rf"(?:[^{{}}]|\{{{_INSIDE}\}})*"
_BRACED = rf"\{{({_INSIDE})\}}"
_NAMES = "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
_BASES = {name: str(base) for base, name in enumerate(_NAMES, start=2)}
_LESS = {">": "<", ">=": "<=", r"\ge": r"\le", r"\geq": r"\leq"}
_GREATER = r"\s?(>=?|\\geq?(?![a-zA-Z]))\s?"
_SIDE = r"((?:(?!\\geq?(?![a-zA-Z]))[^<>=])+)"
_INEQUALITY = re.compile(r"[<>]|\\[lg]eq?(?![a-zA-Z])")
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\\$|\$|\\displaystyle|\\textstyle|\\limits", ""),  # a gold answer may be \$18.90
        (r"(?<!\\)\\[()\[\]]", ""),  # \( \) \[ \], but not a row end \\[
        (rf"(?<=[0-9]){_DIGIT_GAP}(?=[0-9]{{3}}(?![0-9]))", ""),  # 1\,234, 1{,}234 and 1,\!234
        (r"(?<!\\)\\[,!;:> ]|~|\\q?quad(?![a-zA-Z])|[\s\x00]+", " "),
        (r"\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])\.?", ""),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\(?:mathrm|mathit|mathsf|textbf|textit|textrm|textnormal|mbox)(?![a-zA-Z])", r"\\text"),
        (rf"\\(?:mathbf|boldsymbol|bm)\s?{_BRACED}", r"\1"),
        (r"\\text\s?\{\s?and\s?\}", " and "),  # math-verify makes a comma of "and": 8 and 221 would be 8,221
        (r"(?<=_)\{\s?([a-zA-Z0-9])\s?\}", r"\1"),
        (  # a base written as text
            rf"(?<=[0-9]_)\{{?\s?\\text\s?\{{\s?([0-9]+|{'|'.join(_NAMES)})\s?\}}\s?\}}?",
            lambda found: "{" + _BASES.get(found[1], found[1]) + "}",
        ),
        (rf"\\frac\s?{_TOKEN}\s?{_TOKEN}", r"\\frac{\1}{\2}"),
        (rf"\\frac\s?{_TOKEN}\s?\{{", r"\\frac{\1}{"),
        (rf"\\frac\s?(\{{[^{{}}]*\}})\s?{_TOKEN}", r"\\frac\1{\2}"),
        (r"\\text\s?\{\s*(percent|percentage|pct|\\?%)\s*\}|\bpercent(?:age)?\b|\\%", "%"),
        (r"\*\*", "^"),
        (r"\\varnothing(?![a-zA-Z])", r"\\emptyset"),
        (r"\\colon(?![a-zA-Z])", ":"),
        (r"(\\(?:vec|hat|bar|dot|tilde))\s([a-zA-Z])(?![a-zA-Z])", r"\1{\2}"),
        (r"\{\s?(\\cdot|\\times)\s?\}", r"\1 "),
        (  # \{x : x > 1\}
            r"^\\\{\s?[a-zA-Z]\s?(?:\\in\s?\\mathbb\s?\{?R\}?\s?)?(?:\||\\mid|:)\s?([^|:]*)\\\}$",
            lambda found: found[1] if _INEQUALITY.search(found[1]) else found[0],
        ),
        (  # 2 > x > 1, which math-verify reads as x > 1
            rf"^{_SIDE}{_GREATER}{_SIDE}{_GREATER}{_SIDE}$",
            lambda found: f"{found[5]} {_LESS[found[4]]} {found[3]} {_LESS[found[2]]} {found[1]}",
        ),
        (r"(?<![a-zA-Z])(?:np|numpy|math|sympy)\.", ""),  # a gold answer may be np.arcsin(10/13)
        (r"(?<![a-zA-Z\\])\\?sqrt\s?\(([^()]*)\)", r"\\sqrt{\1}"),
        (rf"\\(?:operatorname\*?|mathop|text)\s?\{{\s?\\?({_FUNCTIONS})\s?\}}", r"\\\1 "),
        (rf"(?<![a-zA-Z\\])({_FUNCTIONS})(?![a-zA-Z])", r"\\\1 "),
        (  # 4.5e33, which math-verify reads as 4.5 e 33
            r"(?<![a-zA-Z0-9.\\])([0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE]([+-]?)0*([0-9]+)(?![a-zA-Z0-9]|\.[0-9])",
            lambda found: rf"{found[1]} \times 10^{{{found[2].replace('+', '')}{found[3]}}}",
        ),
    )
]
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(?:(?:,[0-9]{3})+|(?: [0-9]{3})+)(?:\.[0-9]+)?")
_ALL_IN_BRACES = re.compile(rf"(?:\\text\s?)?{_BRACED}")
# A letter before (0,4]. Such brackets can only be an interval.
_BEFORE_INTERVAL = re.compile(r"^[a-zA-Z]\s?(?=\([^()\[\]]*,[^()\[\]]*\]$|\[[^()\[\]]*,[^()\[\]]*\)$)")
_ONE_LETTER = re.compile(r"\\text\s?\{\s?([a-zA-Z])\s?\}")  # a symbol and not a unit; math-verify drops it
_AFTER_COMMAND = re.compile(r"(?<=[a-zA-Z])(?=\\text\s?\{\s?[a-zA-Z]\s?\})")
_CURRENCY = re.compile(r"^([+-]?)\s?(?:£|€|¥|Rs\.?|USD)\s?(?=[0-9.])")
_PERCENT = re.compile(r"\s?%$")


class Answer(NamedTuple):
    """A normalised answer: ``text`` without unit and percent sign, and ``unit`` from :func:`split_unit`."""

    text: str
    unit: str | None = None
    percent: bool = False


def normalise(raw: str) -> Answer:
    """The answer in one spelling. A text longer than :data:`LONGEST_ANSWER` is only stripped.

    Never raises, and takes time linear in the text.
    """
    text = raw.strip()
    if len(text) > LONGEST_ANSWER:
        return Answer(text)
    text = _to_latex(text)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = _unwrap(_CURRENCY.sub(r"\1", _trim(text)))
    without_sign = _PERCENT.sub("", text)
    percent = without_sign != text and bool(without_sign)
    text, unit = split_unit(without_sign if percent else text)
    text = _BEFORE_INTERVAL.sub("", _ONE_LETTER.sub(r"\1", _AFTER_COMMAND.sub(" ", _unwrap(_trim(text)))), count=1)
    if _THOUSANDS.fullmatch(text):
        text = re.sub("[, ]", "", text)
    return Answer(text, unit, percent)


def _to_latex(text: str) -> str:
    """Write full-width forms, signs, superscripts and vulgar fractions as ASCII and LaTeX.

    A Unicode compatibility form would turn x² into x2. Digits and letters of other scripts do not change: a Cyrillic
    letter is not the Latin one that looks like it.
    """
    if text.isascii() and "\x00" not in text:
        return text
    text = _ROOT.sub(lambda found: rf"\sqrt{{{found[1]}}}" if found[1] else r"\sqrt ", text.translate(_TABLE))
    return _SUPERSCRIPT.sub(lambda found: "^{" + found.group().translate(_SUPERSCRIPTS) + "}", text)


def _trim(text: str) -> str:
    """Remove the space around the text and the stop at its end."""
    return re.sub(r" {2,}", " ", text).strip().rstrip(".,; ").rstrip()


def _unwrap(text: str) -> str:
    r"""Remove ``\text{...}`` or ``{...}`` around the whole text, at most twice."""
    for _ in range(2):
        if found := _ALL_IN_BRACES.fullmatch(text):
            text = found[1].strip()
    return text
