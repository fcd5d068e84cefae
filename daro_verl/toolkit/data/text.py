r"""When two problems are the same: equal text after everything that only sets it is gone.

Case, whitespace, punctuation, dollar signs and LaTeX spacing do not count; signs, digits, decimal points and operators
do. ``1 2`` is not ``12``, ``1.5`` is not ``15`` and ``x-1`` is not ``x+1``.
"""

import hashlib
import re
import unicodedata

_SAME = {
    r"\dfrac": r"\frac",
    r"\tfrac": r"\frac",
    r"\leq": r"\le",
    r"\geq": r"\ge",
    r"\neq": r"\ne",
    "−": "-",
    "–": "-",
}
_COMMANDS = re.compile(r"\\(?:dfrac|tfrac|leq|geq|neq)(?![a-zA-Z])|[−–]")
_SPACING = re.compile(
    r"\\(?:quad|qquad|thinspace|left|right|bigl|bigr|big|Big|displaystyle|textstyle|limits|hfill|par|newline)(?![a-zA-Z])"
    r"|\\[,;:!> \n]|\\\\|~|\\[()\[\]]|\\?\$"
)
_ONE_IN_BRACES = re.compile(r"\{\s*(\w)\s*\}")
_PUNCTUATION = re.compile(r"[!?;:\"'`“”‘’…]|(?<!\d)[.,]|[.,](?!\d)")
_KEPT_SPACE = re.compile(r"(?<=[^\W\d])\s+(?=[^\W\d])|(?<=\d)\s+(?=\d)")


def normalise(text: str) -> str:
    """The text without what only sets it."""
    text = unicodedata.normalize("NFKC", text)
    text = _COMMANDS.sub(lambda match: _SAME[match.group()], text)
    text = _SPACING.sub(" ", text)
    text = _ONE_IN_BRACES.sub(r"\1", text).casefold()
    text = _PUNCTUATION.sub(" ", text).strip()
    text = _KEPT_SPACE.sub("\0", text)
    return re.sub(r"\s+", "", text).replace("\0", " ")


def key(text: str) -> str:
    """Twelve bytes of a digest of the normalised text, as hexadecimals."""
    return hashlib.blake2b(normalise(text).encode("utf-8", "replace"), digest_size=12).hexdigest()
