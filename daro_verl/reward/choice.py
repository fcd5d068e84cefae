"""The one choice that an answer makes: ``C``, ``(C)``, ``(C) 5``, ``C. parabola``."""

import re

_CHOSEN = re.compile(
    r"(?:\\text\s?\{\s?)?(?:\((?P<one>[A-J])\)\s?(?P<more>.*)|(?P<two>[A-J])\)?(?:[.:)]\s(?P<rest>.*))?)", re.DOTALL
)
# Another letter by itself, or marked as a choice. Not the article of "A circle", no point and no variable: AB, A=5.
_ANOTHER = re.compile(
    r"\([A-J]\)|^\s?[-=]\s?[A-J]\b|(?<![A-Za-z(\\_^=+*-])(?!A\s[a-z])(?:[A-HJ](?![A-Za-z0-9'_^=+*-])|I(?=[.:)]))"
)
_TAKES_BACK = re.compile(
    r"(?<![a-z\\])(?:x?n?or|not(?!\senough)|isn|but|maybe|perhaps|[a-z]+ably|possibly|wrong|incorrect|unless|instead|rather"
    r"|neither|either|never|except|unsure|guess)(?![a-z])|\\(?:lor|vee|neg|lnot|neq?)(?![a-z])"
    r"|^[\s}]*(?:\\text\s?\{\s?)?(?:(?:is|was|and|no)(?![a-z])|[&?])",
    re.IGNORECASE,
)
NONE = ""


def choice_of(text: str) -> str | None:
    r"""The letter of a normalised text that is a choice and at most its own statement; None for what is no choice.

    :data:`NONE` where what follows the letter names another choice, or takes it back: ``(C) or (D)``, ``(B) is wrong``,
    ``(A) 5 (B) 6``. A statement with "or" or "not" in it counts as such too: a model may write the letter alone.
    """
    found = _CHOSEN.fullmatch(text)
    if found is None:
        return None
    more = found["more"] or found["rest"] or ""
    if _ANOTHER.search(more) or _TAKES_BACK.search(more):
        return NONE
    return found["one"] or found["two"]
