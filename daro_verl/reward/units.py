r"""Units behind an answer: ``5\text{ cm}^2``, ``90^\circ``, ``12 dollars``, ``3\mathrm{~m}/\mathrm{s}``."""

import re

# A bar or a line break ends a unit. The first name of each unit stands for it.
_TABLE = """
mm millimeter millimetre|cm centimeter centimetre|m meter metre|km kilometer kilometre|in inch inche
ft foot feet|yd yard|mi mile|au|pc parsec|nm nanometer|s sec second|min minute|h hr hour|day|week|month|yr year
mg milligram|g gram|kg kilogram|lb pound|oz ounce|ton|ml milliliter|l liter litre|gal gallon|dollar usd|cent|euro eur
degree deg|rad radian|mph|kph|unit|n newton|j joule|kj kilojoule|w watt|kw kilowatt|v volt|a ampere amp|k kelvin
pa pascal|hz hertz|mol mole|ev electronvolt|erg|c coulomb|ohm|t tesla|person people|solar
kev|mev|gev|kpa|atm|khz|mhz|ghz|angstrom|quart|pint|cup|acre|cal calorie|kcal|wb weber
"""
_CANONICAL = {
    name: names.split()[0] for names in _TABLE.replace("\n", "|").split("|") if names for name in names.split()
}
_BARE_UNITS = frozenset("mshgNJWVAKCTL")
_ONE_UNIT = {"mi /h": "mph", "km /h": "kph"}
_MOST_WORDS = 3  # in the name of counted things
_SHORTEST_BARE_WORD = 4  # 5 abc is a product, 5 cats are counted

# Words behind a value that do not name counted things: they change the value, deny it, or add another one.
_NUMBERS = """
zero one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty seventy eighty
ninety hundred thousand million billion trillion dozen half halve third quarter fourth fifth sixth seventh eighth ninth
tenth hundredth thousandth millionth billionth once twice thrice pi infty infinity infinite
"""
_OPERATIONS = """
plus minus times over mod modulo squared cubed factorial sqrt ln log sin cos tan exp equal equals negative base binary
octal decimal hexadecimal
"""
_CONNECTIONS = """
and or nor xor but yet if unless else then when where while whereas because since as than to from until till through by
with without for in is are was were be isn vs versus either neither both instead rather except excluding including
given assuming
"""
_DENIALS = """
not no non none never cannot cant wont dont doesnt isnt false wrong incorrect mistaken mistake error invalid untrue
opposite anything nothing unknown unsure uncertain undefined impossible
"""
_DOUBTS = """
maybe perhaps might may could should would can will likely probable possible guess guessed guessing think believe
suppose assume hope about around approx approximate circa almost near some any something sometimes somehow whatever
otherwise ish idk hmm alternative alternate
"""
_COMPARISONS = """
more most less least fewer fewest greater greatest larger largest smaller smallest bigger higher lower above below
under beyond within between at max maximum minimum up down upto exceed exceeds exceeding before after am pm ad bc
"""
_NOT_COUNTED = frozenset((_NUMBERS + _OPERATIONS + _CONNECTIONS + _DENIALS + _DOUBTS + _COMPARISONS).split())
_WORD = re.compile(r"[a-z]{2,}")

_EXPONENT = r"(?:\s?\^\s?\{?(-?[0-9])\}?)?"
_WRAPPED = rf"\\text\s?\{{([^{{}}]*)\}}{_EXPONENT}"
_PLAIN_NAMES = "|".join(sorted((name for name in _CANONICAL if len(name) > 1 and name != "in"), key=len, reverse=True))
_PLAIN = rf"(?<![a-zA-Z\\])((?:square |cubic |sq\.? )?(?:{_PLAIN_NAMES})s?(?: squared| cubed)?)(?![a-zA-Z]){_EXPONENT}"
_LAST_UNIT = re.compile(rf"(?:{_WRAPPED}|{_PLAIN})$", re.IGNORECASE)
_DEGREES = re.compile(r"\s?(?:\^\s?\{?\s?\\circ\s?\}?|\\degrees?)\s?(?:\\text\s?\{\s?[CFK]\s?\}|[CFK])?$")
_NUMBER_AND_WORDS = re.compile(r"([+-]?[0-9][0-9,./]*)\s((?:[a-zA-Z]\.?[a-zA-Z])[a-zA-Z./ ]*)")
_LAST_TEXT = re.compile(r"(.*\S)\s?\\text\s?\{\s*([^{}\s][^{}]*)\}", re.DOTALL)
_NO_VALUE = re.compile(r"(?:[=<>,;:+\-&(\[^_|]|\\\\|\\(?:cup|cap|in|ne|leq?|geq?|to|pm))$")
_JOINED = re.compile(r"~|\\cdot(?![a-z])|\\(?=[a-z])|(?<=[a-z])-(?=[a-z])")  # kg-m, \mu m
_PER = re.compile(r"\s?(?:/|\bper\b)\s?")
_NAME_AND_POWER = re.compile(r"([a-z. ]*[a-z.])(?:\^?(-?[0-9]))?")
_POWERS = {"square": 2, "squared": 2, "sq": 2, "cubic": 3, "cubed": 3}


def split_unit(text: str) -> tuple[str, str | None]:
    r"""``(value, unit)``: the text without the units at its end, and their canonical name.

    A unit is one of these:

    - a unit of the table, or several (``m/s``, ``miles per hour``);
    - counted things, at most three plain words (``7 red apples``). Their unit is None and is not compared.

    These stay in the text: any other words (``3\text{ or fewer}``), a text that is only words, and single letters
    outside ``\text``, because ``5m`` is a product.
    """
    if degrees := _DEGREES.search(text):
        value = text[: degrees.start()].rstrip()
        return (value, "degree") if value else (text, None)
    if counted := _NUMBER_AND_WORDS.fullmatch(text):
        unit = _canonical_unit(counted[2], None)
        if unit or (unit == "" and "/" not in counted[2] and len(counted[2].split()[-1]) >= _SHORTEST_BARE_WORD):
            return counted[1], unit or None
    return _split_known_units(text)


def bare_unit(letter: str, expected: str | None) -> str | None:
    """The unit of one letter outside ``\\text``: a frequent one, or the expected one in its usual case."""
    unit = _CANONICAL[letter.lower()] if letter in _BARE_UNITS else None
    return unit if letter.islower() or unit == expected else None


def split_remark(text: str) -> tuple[str, str]:
    r"""``(value, remark)``: the words at the end that are not a unit, in lower case without marks, or an empty text.

    ``3\text{ or fewer}`` is ``("3", "or fewer")``. math-verify drops such words and reads 3.
    """
    if "\\text" not in text and not _NUMBER_AND_WORDS.fullmatch(text):
        return text, ""
    found = _LAST_TEXT.fullmatch(text)
    if found and _NO_VALUE.search(found[1]):
        return text, ""
    if found is None:
        found = _NUMBER_AND_WORDS.fullmatch(text)
        if found is None or all(map(_is_counted, re.split(r"[\s/]+", found[2].lower().strip()))):
            return text, ""
    if split_unit(text)[0] != text:
        return text, ""
    return found[1], " ".join(re.sub(r"[.,;:()~]", " ", found[2].lower().replace(".", "")).split()) or found[2]


def _split_known_units(text: str) -> tuple[str, str | None]:
    value, names, known = text, [], True
    while found := _LAST_UNIT.search(value):
        name = found[1] if found[1] is not None else found[3]
        unit = _canonical_unit(name, found[2] or found[4])
        before = value[: found.start()].rstrip()
        joined = re.search(r"(?:/|\\cdot|\\times|\*)$", before)
        rest = before[: joined.start()].rstrip() if joined else before
        if not rest or unit is None or _NO_VALUE.search(rest):
            break
        names.append(("/" if joined and joined.group() == "/" else "") + unit)
        known = known and bool(unit)
        value = rest
        if joined is None and not value.endswith("}"):
            break
    unit = " ".join(reversed(names))
    return value, _ONE_UNIT.get(unit, unit) if names and known else None


def _canonical_unit(phrase: str, exponent: str | None) -> str | None:
    """A unit's name: ``cm^2`` for ``square centimeters``, ``m /s`` for ``m/s``, empty for counted things; else None."""
    pieces = _PER.split(_JOINED.sub(" ", phrase.lower()).replace("(s)", "s").strip(" .()"))
    units = [_canonical_power(piece, exponent if piece is pieces[-1] else None) for piece in pieces]
    if None in units or not any(pieces):
        return None
    name = " /".join(unit or "" for unit in units)
    return _ONE_UNIT.get(name, name) if all(units) else ""


def _canonical_power(piece: str, exponent: str | None) -> str | None:
    found = _NAME_AND_POWER.fullmatch(piece)
    if found is None:
        return None if piece else ""
    words = [word.strip(".") for word in found[1].split()]
    exponent = exponent or found[2]
    power = int(exponent) if exponent else next((_POWERS[word] for word in words if word in _POWERS), 1)
    words = [word for word in words if word not in _POWERS]
    units = [_CANONICAL.get(word) or _CANONICAL.get(word.removesuffix("s")) for word in words]
    if words and all(units):
        return " ".join(map(str, units)) + (f"^{power}" if power != 1 else "")
    return "" if 0 < len(words) <= _MOST_WORDS and not exponent and all(map(_is_counted, words)) else None


def _is_counted(word: str) -> bool:
    """Whether a word in lower case may name counted things, as in ``7 red apples``.

    These may not: number words, operations, conjunctions, prepositions, negations, doubts, comparisons, and adverbs
    except ``only``.
    """
    if not _WORD.fullmatch(word) or (word.endswith("ly") and word != "only"):
        return False
    return word not in _NOT_COUNTED and word.removesuffix("s") not in _NOT_COUNTED
