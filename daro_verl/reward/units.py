r"""Units behind an answer: ``5\text{ cm}^2``, ``90^\circ``, ``12 dollars``, ``3\mathrm{~m}/\mathrm{s}``."""

import re

# Every line is one unit; its first name stands for it. A unit that is not here is taken off and compared with nothing.
_TABLE = """
mm millimeter millimetre|cm centimeter centimetre|m meter metre|km kilometer kilometre|in inch inche
ft foot feet|yd yard|mi mile|au|pc parsec|nm nanometer|s sec second|min minute|h hr hour|day|week|month|yr year
mg milligram|g gram|kg kilogram|lb pound|oz ounce|ton|ml milliliter|l liter litre|gal gallon|dollar usd|cent|euro eur
degree deg|rad radian|mph|kph|unit|n newton|j joule|kj kilojoule|w watt|kw kilowatt|v volt|a ampere amp|k kelvin
pa pascal|hz hertz|mol mole|ev electronvolt|erg|c coulomb|ohm|t tesla|person people|solar
"""
_CANONICAL = {
    name: names.split()[0] for names in _TABLE.replace("\n", "|").split("|") if names for name in names.split()
}
# Words behind a number that are mathematics, not what is counted.
_NOT_COUNTED = frozenset("and or mod if for to of in is pi over times plus minus sqrt ln log sin cos tan exp".split())

_EXPONENT = r"(?:\s?\^\s?\{?(-?[0-9])\}?)?"
_WRAPPED = rf"\\text\s?\{{([^{{}}]*)\}}{_EXPONENT}"
_PLAIN_NAMES = "|".join(sorted((name for name in _CANONICAL if len(name) > 1 and name != "in"), key=len, reverse=True))
_PLAIN = rf"(?<![a-zA-Z\\])((?:square |cubic |sq\.? )?(?:{_PLAIN_NAMES})s?(?: squared| cubed)?)(?![a-zA-Z]){_EXPONENT}"
_LAST_UNIT = re.compile(rf"(?:{_WRAPPED}|{_PLAIN})$", re.IGNORECASE)
_DEGREES = re.compile(r"\s?(?:\^\s?\{?\s?\\circ\s?\}?|\\degrees?)\s?(?:\\text\s?\{\s?[CFK]\s?\}|[CFK])?$")
_COUNTED = re.compile(r"([+-]?[0-9][0-9,./]*)\s([a-zA-Z]{2,}(?:\s[a-zA-Z]{2,})*)")
_POWERS = {"square": 2, "squared": 2, "sq": 2, "cubic": 3, "cubed": 3}


def split_unit(text: str) -> tuple[str, str | None]:
    r"""``(value, unit)``: the text without the units at its end, and their canonical name.

    The unit is None where there is none, or where one of its parts is in no table (``\text{ apples}``). A text that is
    nothing but words, and single letters that are not in ``\text``, are left alone: ``5m`` is a product.
    """
    if degrees := _DEGREES.search(text):
        value = text[: degrees.start()].rstrip()
        return (value, "degree") if value else (text, None)
    if counted := _COUNTED.fullmatch(text):
        words = counted[2].lower().split()
        if not _NOT_COUNTED.intersection(words):
            return counted[1], _canonical(counted[2], None)
    return _peel(text)


def _peel(text: str) -> tuple[str, str | None]:
    value, names, known = text, [], True
    while found := _LAST_UNIT.search(value):
        name = found[1] if found[1] is not None else found[3]
        unit = _canonical(name, found[2] or found[4])
        before = value[: found.start()].rstrip()
        joined = re.search(r"(?:/|\\cdot|\\times|\*)$", before)
        rest = before[: joined.start()].rstrip() if joined else before
        if not rest or (unit is None and len(name.strip(" ~.")) < 2):
            break
        names.append(("/" if joined and joined.group() == "/" else "") + (unit or ""))
        known = known and unit is not None
        value = rest
        if joined is None and not value.endswith("}"):
            break
    return value, " ".join(reversed(names)) if names and known else None


def _canonical(name: str, exponent: str | None) -> str | None:
    """``square centimeters`` is ``cm^2``; None for a name that is in no table."""
    words = [word.strip(".") for word in name.replace("~", " ").lower().split()]
    power = int(exponent) if exponent else next((_POWERS[word] for word in words if word in _POWERS), 1)
    words = [word for word in words if word not in _POWERS]
    if len(words) != 1:
        return None
    unit = _CANONICAL.get(words[0]) or _CANONICAL.get(words[0].removesuffix("s"))
    return None if unit is None else unit + (f"^{power}" if power != 1 else "")
