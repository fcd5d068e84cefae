"""Answers that are choices, ``A`` to ``J``: the letter, or the letter with its own statement."""

import re

_CHOICE = re.compile(r"\(?([A-J])\)?")
_MARKED = re.compile(r"(?:\\text\s?\{\s?)?\([A-J]\)")
# Several choices: A, C, or in the order of the alphabet AC.
_CHOICES = re.compile(r"[A-J](?:\s?,\s?[A-J])+|(?=[A-J]{2})A?B?C?D?E?F?G?H?I?J?")
# The one choice that an answer makes: C, (C), (C) 5, C. parabola.
_CHOSEN = re.compile(
    r"(?:(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s)?(?:\\text\s?\{\s?)?"
    r"(?:\((?P<one>[A-J])\)\s?(?P<more>.*)|(?P<two>[A-J])\)?(?:[.:)]\s(?P<rest>.*))?)",
    re.DOTALL,
)
# Another letter by itself, or marked as a choice. The article of "A circle", points and variables (AB, A=5) are none.
_ANOTHER = re.compile(
    r"\([A-J]\)|^\s?[-=]\s?[A-J]\b|(?<![A-Za-z(\\_^=+*-])(?!A\s[a-z])(?:[A-HJ](?![A-Za-z0-9'_^=+*-])|I(?=[.:)]))"
)
_TAKES_BACK = re.compile(
    r"(?<![a-z\\])(?:x?n?or|not(?!\senough)|isn|but|maybe|perhaps|[a-z]+ably|possibly|wrong|incorrect|unless|instead|rather"
    r"|neither|either|never|except|unsure|guess)(?![a-z])|\\(?:lor|vee|neg|lnot|neq?)(?![a-z])"
    r"|^[\s}]*(?:\\text\s?\{\s?)?(?:(?:is|was|and|no)(?![a-z])|[&?])",
    re.IGNORECASE,
)
_NO_CHOICE = ""


def same_choice(gold: str, predicted: str) -> bool | None:
    """Compare choices; None if the gold answer is not a choice, or if the prediction does not begin as one."""
    if _CHOICES.fullmatch(gold) and _CHOICES.fullmatch(predicted):
        return sorted(re.findall("[A-J]", gold)) == sorted(re.findall("[A-J]", predicted))
    right = _choice_of(gold) if _CHOICE.fullmatch(gold) or _MARKED.match(gold) else None
    chosen = _choice_of(predicted) if right else None
    return None if chosen is None else right == chosen


def _choice_of(text: str) -> str | None:
    r"""The letter of a text that is a choice, alone or with its own statement; None if the text is not a choice.

    The result is empty if the words after the letter name another choice or take it back: ``(C) or (D)``,
    ``(B) is wrong``, ``(A) 5 (B) 6``. A statement that contains "or" or "not" counts as one of these. A model can avoid
    that: it may write the letter alone.
    """
    found = _CHOSEN.fullmatch(text)
    if found is None:
        return None
    more = found["more"] or found["rest"] or ""
    if _ANOTHER.search(more) or _TAKES_BACK.search(more):
        return _NO_CHOICE
    return found["one"] or found["two"]
