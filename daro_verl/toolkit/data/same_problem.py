r"""Decide when two problems are the same.

Two problems are the same if their texts are equal without their typesetting. Case, whitespace, punctuation, dollar
signs and LaTeX spacing do not count. Signs, digits, decimal points, primes, factorials and powers do. ``1 2`` is not
``12``, ``.5`` is not ``5``, ``x-1`` is not ``x+1``, ``5!`` is not ``5``, ``f'(x)`` is not ``f(x)``, and ``3²`` is
``3^2``, not ``32``.

A training problem is also compared with test problems in other forms (:func:`identities`), because editions of a
published benchmark differ in the drawing and in the instruction around the problem.
"""

import hashlib
import re
import unicodedata

from daro_verl.toolkit.data.problem import BOXED

_SAME = {
    r"\dfrac": r"\frac",
    r"\tfrac": r"\frac",
    r"\leq": r"\le",
    r"\geq": r"\ge",
    r"\neq": r"\ne",
    "−": "-",
    "–": "-",
    "’": "'",
    "′": "'",
}
_COMMANDS = re.compile(r"\\(?:dfrac|tfrac|leq|geq|neq)(?![a-zA-Z])|[−–’′]")
_SUPERSCRIPTS = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_SPACING = re.compile(
    r"\\(?:quad|qquad|thinspace|left|right|bigl|bigr|big|Big|displaystyle|textstyle|limits|hfill|par|newline)(?![a-zA-Z])"
    r"|\\[,;:!> \n]|\\\\|~|\\[()\[\]]|\\?\$"
)
_ONE_IN_BRACES = re.compile(r"\{\s*(\w)\s*\}")
_LETTER = r"(?<=(?<![^\W\d_])[^\W\d_])"  # after a letter that is not part of a word
_MARK = rf"(?:(?<=[\d)}}\]])|{_LETTER})!+|(?:(?<=[)}}\]])|{_LETTER})'+(?![a-z])"
_PUNCTUATION = re.compile(rf"({_MARK})|[!?;:\"'`“”‘…]|(?<!\d),|,(?!\d)|\.(?!\d)|(?<=\.)\.")
_KEPT_SPACE = re.compile(r"(?<=[^\W\d])\s+(?=[^\W\d])|(?<=\d)\s+(?=\d)")
_DRAWING = re.compile(r"\[asy\].*?\[/asy\]|(?:\n\w+:?[ \t]*\n)?https?://\S+", re.DOTALL)
_DAPO = re.compile(
    r"^Solve the following math problem step by step\.[^\n]*\n+|\n+Remember to put your answer on its own line[^\n]*$"
)
_LAST_SENTENCE = re.compile(
    r"(?:(?<=[.?!])|(?<=[.?!][$)\"\]])|\n)\s*[^.?!\n]*(?:step[- ]by[- ]step|\\boxed)[^\n]*$", re.IGNORECASE
)


def normalised(text: str) -> str:
    """The text without its typesetting."""
    text = _SUPERSCRIPTS.sub(lambda match: "^" + unicodedata.normalize("NFKC", match.group()), text)
    text = unicodedata.normalize("NFKC", text)
    text = _COMMANDS.sub(lambda match: _SAME[match.group()], text)
    text = _SPACING.sub(" ", text)
    text = _ONE_IN_BRACES.sub(r"\1", text)
    text = _PUNCTUATION.sub(lambda match: match[1] or " ", text).strip().casefold()
    text = _KEPT_SPACE.sub("\0", text)
    return re.sub(r"\s+", "", text).replace("\0", " ")


def problem_key(text: str) -> str:
    """Twelve bytes of a digest of the normalised text, in hexadecimal digits."""
    return exact_key(normalised(text))


def exact_key(text: str) -> str:
    """The same of the text itself. In a generated task, any character may count."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()


def without_drawings(text: str) -> str:
    """The text without Asymptote code and links, which some editions of a problem have and others have not."""
    return _DRAWING.sub("", text)


def without_dapo_instruction(text: str) -> str:
    """The problem without the instruction that DAPO's original file has around it."""
    return _DAPO.sub("", text.strip()).strip()


def identities(prompt: str) -> set[str]:
    """Keys of a test problem in each form in which a training set may have it.

    The forms are the prompt itself, the prompt without an instruction that asks for steps or a box, and both without
    drawings.
    """
    forms = {
        prompt,
        prompt.removesuffix(BOXED),
        without_dapo_instruction(prompt),
        _LAST_SENTENCE.sub("", prompt.strip()),
    }
    forms |= {without_drawings(form) for form in forms}
    return {problem_key(form) for form in forms if normalised(form)}
