"""Plain numbers, exactly: integers, decimals, fractions, mixed numbers, powers of ten."""

import re
from fractions import Fraction
from typing import NamedTuple

# Python refuses to read integers of more digits; an exponent beyond this only costs time.
LONGEST_NUMERAL = 4_000
LARGEST_EXPONENT = 4_000
# The error that math-verify allows in a rounded decimal (6 places). Below 1 it is relative: 5.1e-33 is not 4.5e-33.
TOLERANCE = Fraction(1, 10**6)

_DECIMAL = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_TEN = r"10\s?\^\s?(?:\{\s?(?P<power>[+-]?[0-9]+)\s?\}|(?P<bare_power>[+-]?[0-9]+))"
_SCIENTIFIC = re.compile(rf"(?P<sign>[+-]?)\s?(?:(?P<factor>{_DECIMAL})\s?(?:\\times|\\cdot|\*)\s?)?{_TEN}")
_PLAIN = re.compile(rf"(?P<sign>[+-]?)\s?(?P<number>{_DECIMAL})")
_FRACTION = re.compile(
    rf"(?P<sign>[+-]?)\s?(?:(?P<whole>[0-9]+)\s?)?\\frac\{{\s?(?P<over>[+-]?{_DECIMAL})\s?\}}"
    rf"\{{\s?(?P<under>[+-]?{_DECIMAL})\s?\}}"
)
_REPEATING = re.compile(
    r"(?P<sign>[+-]?)\s?(?P<whole>[0-9]+)\.\s?(?P<once>[0-9]*)\s?"
    r"(?:\\(?:overline|bar)\s?\{?\s?(?P<period>(?<=\{)[0-9]+(?=\s?\})|[0-9])\s?\}?|\\dot\s?\{?\s?(?P<digit>[0-9])\s?\}?)"
)
_SLASH = re.compile(rf"(?P<sign>[+-]?)\s?(?:(?P<whole>[0-9]+)\s)?(?P<over>{_DECIMAL})\s?/\s?(?P<under>{_DECIMAL})")


class Number(NamedTuple):
    """The ``value`` of a numeral. ``rounded`` if it was written with a decimal point."""

    value: Fraction
    rounded: bool


def to_number(text: str) -> Number | None:
    r"""The number of a normalised text that is nothing but a number; else None.

    It reads ``12``, ``-1.5``, ``.5``, ``3/4``, ``\frac{3}{4}``, ``2\frac{1}{2}``, ``2 1/2``, ``4.5 \times 10^{33}``,
    ``10^{-3}`` and ``0.1\overline{6}``, with ASCII digits only. Numerals and exponents beyond the bounds above also
    give None.
    """
    if not text or len(text) > LONGEST_NUMERAL:
        return None
    for pattern, read in (
        (_PLAIN, _read_plain),
        (_FRACTION, _read_fraction),
        (_SLASH, _read_fraction),
        (_REPEATING, _read_repeating),
    ):
        if found := pattern.fullmatch(text):
            return read(found)
    found = _SCIENTIFIC.fullmatch(text)
    return None if found is None else _read_scientific(found)


def same_number(one: Number, other: Number) -> bool:
    """Whether two numbers are equal. A decimal may be off by :data:`TOLERANCE` times ``min(1, the larger)``.

    Two whole numbers must be equal: 1000000 is not 1000001.
    """
    if one.value == other.value:
        return True
    if not (one.rounded or other.rounded) or (one.value.denominator == other.value.denominator == 1):
        return False
    larger = max(abs(one.value), abs(other.value))
    return abs(one.value - other.value) <= TOLERANCE * min(Fraction(1), larger)


def _read_plain(found: re.Match[str]) -> Number:
    return Number(_signed(found, Fraction(found["number"].rstrip("."))), "." in found["number"])


def _read_fraction(found: re.Match[str]) -> Number | None:
    under = Fraction(found["under"].rstrip("."))
    if not under:
        return None
    over = Fraction(found["over"].rstrip("."))
    if found["whole"] and (over < 0 or under < 0):
        return None
    value = Fraction(found["whole"] or 0) + over / under
    return Number(_signed(found, value), "." in found["over"] + found["under"])


def _read_repeating(found: re.Match[str]) -> Number:
    r"""``0.1\overline{6}`` is ``1/10 + 6/90``. It is exact."""
    once, period = found["once"], found["period"] or found["digit"]
    repeated = Fraction(int(period), 10 ** len(once) * (10 ** len(period) - 1))
    return Number(_signed(found, Fraction(f"{found['whole']}.{once or 0}") + repeated), False)


def _read_scientific(found: re.Match[str]) -> Number | None:
    power = found["power"] or found["bare_power"]
    if len(power) > 6 or abs(int(power)) > LARGEST_EXPONENT:
        return None
    factor = found["factor"] or "1"
    return Number(_signed(found, Fraction(factor.rstrip(".")) * Fraction(10) ** int(power)), "." in factor)


def _signed(found: re.Match[str], value: Fraction) -> Fraction:
    return -value if found["sign"] == "-" else value
