r"""Answers made by rule from a gold answer: other spellings of it, and wrong answers.

Every rule is a function from the gold's text to answers. A rule that does not apply gives none. The rule decides what
is right, so no scorer is needed.
"""

import re
from collections.abc import Callable, Iterator

Rule = Callable[[str], list[str]]

_INTEGER = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_FRACTION = re.compile(r"(-?)\\frac\{([0-9]+)\}\{([0-9]+)\}")
_TUPLE = re.compile(r"\(([^()\[\]]+,[^()\[\]]+)\)")
_INTERVAL = re.compile(r"([(\[])([^()\[\]]+,[^()\[\]]+)([)\]])")
_HALF_OPEN = re.compile(r"(?=\(.*\]|\[.*\))([(\[])([^()\[\]]+,[^()\[\]]+)([)\]])")
_LIST = re.compile(r"[^()\[\]{}=<>]+(?:,[^()\[\]{}=<>]+)+")
_IN_BASE = re.compile(r"([0-9]+)_\{?([0-9])\}?")
_DEGREES = re.compile(r"(.*[0-9])\s?\^\s?\{?\s?\\circ\s?\}?")
_PERCENT = re.compile(r"([0-9.]+)\s?\\?%")
_ASSIGNED = re.compile(r"([a-zA-Z](?:_\{?[a-z0-9]\}?|\([a-z]\))?)\s?=([^=<>,]+)")
_UNIT = re.compile(r"(.*[0-9}])\s?\\(?:text|mathrm)\s?\{\s?~?([a-z ]+)\}(?:\^.)?")
_NO_TERM = re.compile(  # what a number cannot be added to
    r"[,=<>%]|\\(?:text|in|pm|cup|circ|leq?|geq?|begin|infty|angle|mathrm)(?![a-z])|(?<![a-z\\])[A-Za-z]{3}|[0-9]_"
)
_BASES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_UNICODE = {r"\pi": "π", r"\cdot": "·", r"\times": "×", r"\infty": "∞", r"\cup": "∪", r"\le ": "≤ ", "-": "−"}
_UNICODE |= {r"\pm": "±", r"\theta": "θ"}


def _each(*templates: str) -> Rule:
    return lambda gold: [template.replace("@", gold) for template in templates]


def _where(pattern: re.Pattern[str] | str, *templates: str) -> Rule:
    """Answers made from a gold that is the pattern as a whole; ``@1`` is its first group."""

    def rule(gold: str) -> list[str]:
        found = re.fullmatch(pattern, gold)
        if found is None:
            return []
        return [re.sub("@([0-9])", lambda mark: found[int(mark[1])].strip(), template) for template in templates]

    return rule


def _replaced(*pairs: tuple[str, str]) -> Rule:
    """Answers where a pattern was found and replaced."""
    return lambda gold: [new for pattern, by in pairs if (new := re.sub(pattern, by, gold)) != gold]


def _thousands(separator: str) -> Rule:
    def rule(gold: str) -> list[str]:
        plain = re.sub(r"\\[,!;] ?|(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", "", gold)
        return [f"{int(plain):,}".replace(",", separator)] if re.fullmatch("[0-9]{4,}", plain) else []

    return rule


def _wide(gold: str) -> list[str]:
    if re.search(r"!|[0-9],[0-9]{3}(?![0-9])", gold):  # of a factorial, of thousands
        return []
    return [re.sub(r"\s*([=,+<>])\s*", r" \1 ", gold)] if re.search("[=,+<>]", gold) else []


def _without_spaces(gold: str) -> list[str]:
    new = re.sub(r"(?<![a-z]) +(?=\S)|(?<=[a-z]) +(?![a-zA-Z])", "", gold)
    return [new] if new != gold and not re.search(r"[a-z]{2}|[0-9] [0-9]", re.sub(r"\\[a-z]+", "", gold)) else []


def _unicode(gold: str) -> list[str]:
    new = gold
    for latex, character in _UNICODE.items():
        new = re.sub(re.escape(latex) + ("(?![a-zA-Z])" if latex[-1].isalpha() else ""), character, new)
    new = re.sub(r"\\sqrt\{([0-9]+)\}", r"√\1", new)
    return [new] if new != gold else []


def _reordered(gold: str) -> list[str]:
    parts = _parts(gold)
    if len(parts) < 2:
        return []
    turned = [*parts[1:], parts[0]]
    return [", ".join(turned), r"\{" + ", ".join(turned) + r"\}", ", ".join(turned[:-1]) + r"\text{ and }" + turned[-1]]


def _parts(gold: str) -> list[str]:
    """Elements of a list of several answers; a thousands separator separates none."""
    if not _LIST.fullmatch(gold) or re.fullmatch("[0-9]{1,3}(,[0-9]{3})+", gold) or "\\" in gold:
        return []
    return [part.strip() for part in gold.split(",")]


def _fewer_and_more(gold: str) -> list[str]:
    parts = _parts(gold)
    if len(parts) < 2 or len(set(parts)) < len(parts):
        return []
    return [", ".join(parts[1:]), ", ".join(parts[:-1]), ", ".join([*parts, "271828"])]


def _swapped(gold: str) -> list[str]:
    found = _TUPLE.fullmatch(gold)
    parts = [part.strip() for part in found[1].split(",")] if found else []
    return [f"({', '.join(reversed(parts))})"] if parts != parts[::-1] else []


def _other_numbers(gold: str) -> list[str]:
    """The first and the last integer of an expression, each raised by one."""
    numbers = [
        found for found in re.finditer(r"(?<![0-9._])[0-9]+(?![0-9.])", gold) if gold[: found.start()][-1:] != "{,"
    ]
    ends = {found.start(): found for found in (numbers[:1] + numbers[-1:])}.values()
    if re.search(r"[0-9],[0-9]{3}|\\begin|\\!", gold) or "E_" in gold:
        return []
    return [gold[: found.start()] + str(int(found.group()) + 1) + gold[found.end() :] for found in ends]


def _plus_one(gold: str) -> list[str]:
    return [] if _NO_TERM.search(gold) else [gold + " + 1"]


RIGHT: dict[str, Rule] = {
    "itself": _each("@"),
    "dollars, brackets": _each("$@$", r"\(@\)"),
    "bold": _each(r"\mathbf{@}", r"\boldsymbol{@}"),
    "braces": _each("{@}"),
    "displaystyle": _each(r"\displaystyle @", r"\,@\,", "@."),
    "text": _where("-?[0-9]+|[A-Z]", r"\text{@0}", r"\mathrm{@0}"),
    "dfrac": _replaced((r"\\frac", r"\\dfrac"), (r"\\frac", r"\\tfrac")),
    "left and right": _replaced((r"(?<![\\a-z])\(([^()]*)\)", r"\\left(\1\\right)"), (r"\\(?:left|right)", "")),
    "wider": _wide,
    "narrower": _without_spaces,
    "characters": _unicode,
    "thousands 1,625": _thousands(","),
    r"thousands 1,\!625": _thousands(r",\!"),
    "thousands 1{,}625": _thousands("{,}"),
    r"thousands 1\,625": _thousands(r"\,"),
    "thousands 1 625": _thousands(" "),
    "thousands removed": _thousands(""),
    "decimal": _where(_INTEGER, "@0.0"),
    "a/b": _where(_FRACTION, "@1@2/@3", r"\frac{@1@2}{@3}"),
    "n = 5": _where(_NUMBER, "n = @0", "x=@0"),
    "with a unit": _where(_NUMBER, r"@0\text{ cm}", r"@0 \mathrm{~m}/\mathrm{s}", r"@0\text{ units}"),
    "without its unit": _where(_UNIT, "@1"),
    "degrees": _where(_DEGREES, "@1", r"@1\text{ degrees}", "@1°"),
    "percent": _where(_PERCENT, "@1", r"@1\%", "@1 percent"),
    "another order": _reordered,
    "x in": _where(_INTERVAL, r"x \in @0"),
    "base": _where(_IN_BASE, "@1_{@2}", "@1_@2", "@1", r"@1_{\text{@2}}"),
    "base in words": lambda gold: [
        rf"{found[1]}_{{\text{{{_BASES[int(found[2])]}}}}}" for found in [_IN_BASE.fullmatch(gold)] if found
    ],
    "assigned": _where(_ASSIGNED, "@2", "@1 = @2", "@1=@2"),
    "subscript": _replaced((r"_\{([a-z0-9])\}", r"_\1"), (r"_([a-z0-9])(?![0-9])", r"_{\1}")),
    "bmatrix": _replaced(("pmatrix", "bmatrix")),
    "words": _where(r"\\text\{([A-Za-z ]{2,})\}", "@1", r"\textbf{@1}"),
    "choice": _where(r"\\text\{\(([A-E])\)\}", "@1", r"\textbf{(@1)}\ 5"),
}

WRONG: dict[str, Rule] = {
    "another number": _other_numbers,
    "plus one": _plus_one,
    "times ten": _where("[1-9][0-9]*", "@00", "-@0"),
    "a digit less": _where("([1-9][0-9]*)[0-9]", "@1"),
    "element dropped, added": _fewer_and_more,
    "order of a tuple": _swapped,
    "tuple without brackets": _where(_TUPLE, "@1"),
    "brackets of an interval": _where(_HALF_OPEN, "(@2)", "[@2]"),
    "another base": _where(_IN_BASE, "@1_1@2", "1@1_@2"),
    "a base of its own": _where("[1-9][0-9]+", "@0_{5}", "@0_7"),
    "another unit": _where(_UNIT, r"@1\text{ kg}", r"@1\%"),
    "another word": _where(r"\\text\{[A-Za-z() ]+\}", r"\text{neither of them}", r"\text{(J)}"),
    "another name": _where(_ASSIGNED, "q_{7} = @2"),
    "hedge": _each(r"@\text{ or }271828", r"@, 271828", r"@\text{ or more}", r"@\text{ is wrong}", r"\text{not }@"),
}


def made_from(gold: str) -> Iterator[tuple[str, str, bool]]:
    """``(rule, answer, right)``, each answer once."""
    seen = set()
    for rules, right in ((RIGHT, True), (WRONG, False)):
        for name, rule in rules.items():
            for answer in rule(gold):
                if answer not in seen:
                    seen.add(answer)
                    yield name, answer, right
