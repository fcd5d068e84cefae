r"""Names of variables that math-verify keeps apart. It drops primes, and reads upper case as lower case."""

import re

# An energy E_1 (E alone is Euler's number), a solar mass.
_UNREADABLE = (
    (re.compile(r"(?<![a-zA-Z\\])E(?=_)"), r"\\mathcal{E}"),
    (re.compile(r"_\s?\{?\s?\\odot\s?\}?"), "_{sun}"),
)
_GREEK = "alpha|beta|gamma|delta|theta|lambda|xi|pi|sigma|phi|psi|omega"
_FOR_GREEK = "ABCDEFGHIJKL"  # one letter for each, in a script that answers do not use
_MARKS = "hat|vec|bar|dot|ddot|tilde|overline|overrightarrow|widehat|math(?:bb|cal|frak|scr)"
_ACCENT = rf"\\(?:{_MARKS})\s?(?:\{{[a-zA-Z]+\}}|[a-zA-Z](?![a-zA-Z]))"
_TOKEN = re.compile(rf"{_ACCENT}|\\text\s?\{{[^{{}}]*\}}|\\[a-zA-Z]+|[a-zA-Z]")
_SUBSCRIPT = r"(?:_\{?([a-zA-Z0-9]+)\}?)?"
_PRIMED = re.compile(
    rf"\\text\s?\{{[^{{}}]*\}}|(?<![a-zA-Z\\])([a-zA-Z]|\\(?:{_GREEK})(?![a-zA-Z])){_SUBSCRIPT}"
    rf"\s?('+|\^\s?\{{?\s?(?:\\prime\s?)+\}}?){_SUBSCRIPT}",
    re.IGNORECASE,
)
_PRIME_ELSEWHERE = re.compile(r"(?<![0-9])'|\\prime")


def distinct(gold: str, predicted: str) -> tuple[str, str]:
    r"""Both answers with names that stay different.

    - A variable with primes gets a subscript: ``y''`` is ``y_{pp}``. A prime behind a bracket stays, and only texts
      that have the same number of these can be equal. Behind a digit it means feet.
    - Where one answer has a letter in both cases, as in ``R - r``, the upper one becomes ``\mathcal{R}``. Where no
      answer has both, ``K`` and ``k`` are one variable. A letter with an accent is left alone.
    """
    texts = [_PRIMED.sub(_without_primes, text) for text in (gold, predicted)]
    is_named = ["=" in text for text in texts]
    values = texts if all(is_named) else [text.rpartition("=")[2] for text in texts]  # (fg)'(x) = 2x and 2x
    if len({len(_PRIME_ELSEWHERE.findall(value)) for value in values}) > 1:
        texts[1] = r"\text{other primes}"
    found = [_letters(text) for text in texts]
    upper = {letter for own in found for letter in own if letter.lower() in own - {letter}}
    one, other = (_readable(_TOKEN.sub(lambda found: _scripted(found.group(), upper), text)) for text in texts)
    return one, other


def _readable(text: str) -> str:
    for symbol, readable in _UNREADABLE:
        text = symbol.sub(readable, text)
    return text


def _without_primes(found: re.Match[str]) -> str:
    if found[1] is None:  # words, such as o'clock
        return found[0]
    count = found[3].count("'") + found[3].count("prime")
    return f"{found[1]}_{{{found[2] or found[4] or ''}{'p' * count}}}"


def _letters(text: str) -> set[str]:
    """Letters and Greek letters that stand for variables."""
    return {
        token for token in _TOKEN.findall(text) if len(token) == 1 or re.fullmatch(_GREEK, token[1:], re.IGNORECASE)
    }


def _scripted(token: str, upper: set[str]) -> str:
    if token not in upper:
        return token
    if len(token) == 1:
        return rf"\mathcal{{{token}}}"
    return rf"\mathfrak{{{_FOR_GREEK[_GREEK.split('|').index(token[1:].lower())]}}}"
