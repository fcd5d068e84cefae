"""Compare parsed answers by their values, part by part, in milliseconds. ``simplify`` takes tenths of a second."""

from collections.abc import Sequence
from typing import Any

from sympy import Add, Expr, Float, Interval, MatrixBase, Tuple, nan, oo, preorder_traversal, zoo
from sympy import FiniteSet as Set

_DIGITS = 20
_EQUAL = Float("1e-12")
# math-verify rounds to 6 decimals. It decides about numbers that are nearer than this, unless both are small.
_DIFFERENT = Float("2e-6")
_LARGE = Float("1e6")  # 1 more or less is not seen in numbers like 2^1009, so math-verify decides
_SMALL, _SMALL_EQUAL = Float("1e-4"), Float("1e-6")
_CANCELLED = Float("1e-12")
# Numbers without a decimal point are compared exactly, or in 45 digits. For parts beyond these sizes that says nothing.
_EXACT_DIGITS, _EXACTLY_EQUAL = 60, Float("1e-45", 60)
_EXTREME, _COMPUTED = Float("1e40"), Float("1e10000")
# Variables get these values. The first set is positive, as most quantities are: expressions that differ there differ.
# Expressions that agree there must agree at the other sets too. Otherwise |x| would be x, and values that are rounded
# down to 0 would be equal.
_POINTS = (
    ("0.7310585786", "1.3819660113", "0.4142135624", "1.7724538509"),
    ("-0.6180339887", "1.2599210499"),
    ("37.3890560989", "11.5926535898"),
)


def same_value(gold: Any, predicted: Any) -> bool | None:
    """Whether two parsed answers have the same value; None if values cannot decide.

    Values decide numbers, expressions with variables, and tuples, finite sets, intervals and matrices of these. An open
    interval counts as a pair. Values cannot decide relations and texts. They cannot decide either if a value is not
    finite or nearly cancels, or if a difference is small enough to come from rounding.
    """
    if isinstance(gold, MatrixBase) and isinstance(predicted, MatrixBase):
        return gold.shape == predicted.shape and _all_same(list(gold), list(predicted))
    if isinstance(gold, Interval) and isinstance(predicted, Interval):
        if (gold.left_open, gold.right_open) != (predicted.left_open, predicted.right_open):
            return False
        return _all_same(gold.args[:2], predicted.args[:2])
    if _is_pair(gold) and _is_pair(predicted):
        return _all_same(gold.args[:2], predicted.args[:2])
    if isinstance(gold, Tuple) and isinstance(predicted, Tuple):
        return len(gold) == len(predicted) and _all_same(gold.args, predicted.args)
    if isinstance(gold, Set) and isinstance(predicted, Set):
        return _same_set(gold.args, predicted.args)
    if isinstance(gold, Expr) and isinstance(predicted, Expr):
        return _same_expression(gold, predicted)
    return None


def _is_pair(value: Any) -> bool:
    return (isinstance(value, Tuple) and len(value) == 2) or (isinstance(value, Interval) and value.is_open is True)


def _all_same(golds: Sequence[Any], predicted: Sequence[Any]) -> bool | None:
    verdicts = [same_value(*pair) for pair in zip(golds, predicted, strict=True)]
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _same_set(golds: Sequence[Any], predicted: Sequence[Any]) -> bool | None:
    """Whether every element has a partner. Sizes alone cannot decide, because a value may be written twice."""
    verdicts = [[same_value(gold, one) for one in predicted] for gold in golds]
    lines = verdicts + [list(column) for column in zip(*verdicts, strict=True)]
    if any(True not in line and None not in line for line in lines):
        return False
    return True if all(True in line for line in lines) else None


def _same_expression(gold: Expr, predicted: Expr) -> bool | None:
    if gold == predicted and gold.is_finite:
        return True
    if any(value.has(oo, -oo, zoo, nan) for value in (gold, predicted)):
        return None
    symbols = sorted(gold.free_symbols | predicted.free_symbols, key=str)
    verdicts = []
    for point in _POINTS if symbols else _POINTS[:1]:
        values = {
            symbol: Float(point[place % len(point)]) + place // len(point) for place, symbol in enumerate(symbols)
        }
        verdicts.append(
            _same_number(gold.evalf(_DIGITS, subs=values), predicted.evalf(_DIGITS, subs=values), predicted)
        )
        if verdicts[0] is not True:
            return verdicts[0]
    if not symbols and not gold.has(Float) and not predicted.has(Float):
        return _same_exactly(gold, predicted)
    return True if all(verdicts) else None


def _same_exactly(gold: Expr, predicted: Expr) -> bool | None:
    """Whether numbers that agree in 12 digits are the same: ``1 - 1/2^{50}`` is not 1."""
    largest = max(map(_largest_part, (gold, predicted)))
    if largest > _COMPUTED:
        return None
    exact = gold.doit(), predicted.doit()
    if all(value.is_Rational for value in exact):
        return bool(exact[0] == exact[1])
    values = [value.evalf(_EXACT_DIGITS) for value in (gold, predicted, gold - predicted)]
    return None if largest > _EXTREME else bool(abs(values[2]) <= _EXACTLY_EQUAL * max(map(abs, values[:2])))


def _largest_part(value: Expr) -> Any:
    """The largest size, or inverse of a size, among all parts of a number."""
    sizes = [abs(part.evalf(_DIGITS)) for part in preorder_traversal(value) if isinstance(part, Expr)]
    return max((max(size, 1 / size) if size.is_finite else oo for size in sizes if size != 0), default=0)


def _same_number(gold: Expr, predicted: Expr, written: Expr) -> bool | None:
    if not gold.is_number or not predicted.is_number or gold.is_finite is False or predicted.is_finite is False:
        return None
    sizes = [abs(value).evalf(_DIGITS) for value in (gold, predicted)]
    difference = abs(gold - predicted).evalf(_DIGITS)
    if not all(isinstance(size, Float) or size.is_Integer for size in (*sizes, difference)):
        return None
    larger = max(sizes)
    if difference <= _EQUAL * larger:
        return True if larger < _LARGE or written.free_symbols else None
    if larger < _CANCELLED and written.has(Add):
        return None
    if larger < _SMALL:
        return bool(difference <= _SMALL_EQUAL * larger)
    return False if difference > _DIFFERENT * max(Float(1), larger) else None
