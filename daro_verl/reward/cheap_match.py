"""Verdicts that need no algebra: equal texts, numbers, choices, words. Everything else is for math-verify."""

import re
from fractions import Fraction
from functools import partial

from daro_verl.reward.choices import same_choice
from daro_verl.reward.normalise import LONGEST_ANSWER, Answer
from daro_verl.reward.numerals import Number, same_number, to_number
from daro_verl.reward.structure import compare_parts
from daro_verl.reward.units import bare_unit, split_remark

_LOOSE_SPACE = re.compile(r"(?<![0-9]) | (?![0-9])")  # but 2 1/2 is not 21/2
_ROMAN = re.compile(r"(?=[IVX]{2})X{0,3}(?:IX|IV|V?I{0,3})")
_VARIABLE = re.compile(r"(?<![a-zA-Z\\])[a-zA-Z]")  # outside the names of commands
_SHORT_WORDS = frozenset(("yes", "no"))
_WORDS = re.compile(r"[^\W\d_]+(?:[ '-][^\W\d_]+)*\.?")
_IN_BASE = re.compile(r"([0-9][0-9A-Za-z]*)_\{?\s?([0-9]{1,2})\s?\}?")
_TUPLE = re.compile(r"\([^()\[\]]+,[^()\[\]]+\)")
# A list of values. It is not a set, and has no equals sign, because x = 1, y = 2 may name a tuple's parts.
_LIST = re.compile(r"(?!.*\\\{)[^()\[\]=]+,[^()\[\]=]+")

_PARTS_WITHIN_PARTS = 2


def cheap_match(gold: Answer, predicted: Answer) -> bool | None:
    """Whether the prediction is right; None if only algebra can decide.

    Decided as wrong:

    - different known units, or a percentage and a unit;
    - a tuple without its brackets;
    - words behind a value that are not a unit, and that the gold answer does not have.

    Decided either way:

    - texts that are equal except for spaces;
    - two plain numbers, and digits in a base;
    - choices ``A`` to ``J``, also ``(C) 5`` for ``C``;
    - words;
    - several of these in brackets, lists or matrices;
    - texts too long to be normalised.
    """
    if not predicted.text or not gold.text:
        return False
    units = ["%" if answer.percent else answer.unit for answer in (gold, predicted)]
    if all(units) and units[0] != units[1]:
        return False
    numbers = to_number(gold.text), to_number(predicted.text)
    if numbers[0] is not None and numbers[1] is not None:
        return _same_up_to_percent(numbers[0], gold.percent, numbers[1], predicted.percent)
    if predicted.percent and not gold.percent:
        return False
    if max(len(gold.text), len(predicted.text)) > LONGEST_ANSWER:
        return gold.text == predicted.text
    if _ROMAN.fullmatch(gold.text) and _ROMAN.fullmatch(predicted.text):  # but behind P = they are products
        return gold.text == predicted.text
    return _match_texts(gold.text, predicted.text, _PARTS_WITHIN_PARTS)


def without_bare_unit(predicted: Answer, gold: Answer) -> Answer:
    """``5 m`` as a value and a unit, which it can only be beside a gold answer without variables.

    ``5m`` is a product, unless the gold answer is in metres.
    """
    value, letter = predicted.text[:-1], predicted.text[-1:]
    unit = bare_unit(letter, gold.unit)
    if unit is None or "," in value or _VARIABLE.search(_value_of(gold.text)) or _VARIABLE.search(_value_of(value)):
        return predicted
    is_unit = value.endswith(" ") or unit == gold.unit
    return predicted._replace(text=value.rstrip(), unit=unit) if is_unit and value.strip() else predicted


def _value_of(text: str) -> str:
    """The part behind ``x =``."""
    return text.rpartition("=")[2]


def _match_texts(gold: str, predicted: str, depth: int) -> bool | None:
    one, other = to_number(gold), to_number(predicted)
    if one is not None and other is not None:
        return same_number(one, other)
    if _LOOSE_SPACE.sub("", gold) == _LOOSE_SPACE.sub("", predicted):
        return True
    for decide in (_same_in_base, same_choice, _same_words, _same_brackets):
        verdict = decide(gold, predicted)
        if verdict is not None:
            return verdict
    (gold_value, gold_remark), (value, remark) = split_remark(gold), split_remark(predicted)
    if remark:
        return _match_texts(gold_value, value, depth) if gold_remark == remark else False
    return None if depth == 0 else compare_parts(gold, predicted, partial(_match_texts, depth=depth - 1))


def _same_up_to_percent(gold: Number, gold_percent: bool, predicted: Number, predicted_percent: bool) -> bool:
    """Compare with percent signs: 50% is 50 (the question asked for a percentage) and 0.5, whichever side has the sign.

    But 0.5% does not match a gold answer 0.5. Only a gold answer of 1 or more may lack its sign.
    """
    if same_number(gold, predicted):
        return gold_percent or not predicted_percent or not 0 < abs(gold.value) < 1
    if gold_percent == predicted_percent:
        return False
    if gold_percent:
        return same_number(_hundredth(gold), predicted)
    return same_number(gold, _hundredth(predicted))


def _hundredth(number: Number) -> Number:
    return Number(number.value * Fraction(1, 100), number.rounded)


def _same_in_base(gold: str, predicted: str) -> bool | None:
    """Compare numerals such as ``2516_8``.

    If both have a base, the bases must match. If only the gold answer has one, the digits decide. A gold answer without
    a base is base ten.
    """
    right, found = _IN_BASE.fullmatch(gold), _IN_BASE.fullmatch(predicted)
    if right and found:
        return right.groups() == found.groups()
    if right:
        return right[1] == predicted if predicted.isalnum() else None
    return found.groups() == (gold, "10") if found and gold.isdigit() else None


def _same_brackets(gold: str, predicted: str) -> bool | None:
    """False for a list if the gold answer is a tuple: ``1, 2`` is not the pair ``(1, 2)``. Else None."""
    return False if _TUPLE.fullmatch(gold) and _LIST.fullmatch(predicted) else None


def _same_words(gold: str, predicted: str) -> bool | None:
    """Compare words without case. Short words may be products of variables, so math-verify decides them."""
    if not (_WORDS.fullmatch(gold) and _WORDS.fullmatch(predicted)):
        return None
    if gold.casefold() in _SHORT_WORDS:
        return gold.casefold() == predicted.casefold()
    if gold.casefold() == predicted.casefold() and max(map(len, gold.split())) > 1:
        return True
    long_words = [max(map(len, re.split("[ '-]", text))) > 3 for text in (gold, predicted)]
    return False if any(long_words) else None
