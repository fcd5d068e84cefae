"""Judge two normalised answers by algebra. This runs only in a worker, because it may never end, or take all memory."""

from functools import lru_cache
from typing import Any

from latex2sympy2_extended.math_normalization import NormalizationConfig
from math_verify import LatexExtractionConfig, parse, verify

from daro_verl.reward.numeric import same_value
from daro_verl.reward.relations import as_union, ratio_terms
from daro_verl.reward.symbols import distinct

# Units are taken off before (daro_verl.reward.units). math-verify would also take the t off 3 + 4t.
_NORMALIZATION = NormalizationConfig(units=False, malformed_operators=True, nits=True)
_CONFIG = (
    LatexExtractionConfig(
        boxed_match_priority=0, try_extract_without_anchor=False, normalization_config=_NORMALIZATION
    ),
)
_RATIO = 3  # terms; a ratio of two is a quotient
# One pair of every kind, so that no answer waits for the imports and tables that libraries make at first use.
_KINDS = r"""x+1;1+x | (1,2);[1,2) | (2,1);(1,2) | [1,2];1 \le x \le 2 | x=5;y=5 | x>1;(1,\infty) | 1,2;\{2,1\} | n!;n
| (1,2),(3,4);(3,4),(1,3) | \frac{\pi}{2};1.5 | \sqrt{8};2\sqrt{2} | \arcsin(1/3);\ln 2 | 3+4i;4-3i | x^2+1;(x+1)^2
| \begin{pmatrix}1\\2\end{pmatrix};\begin{pmatrix}1\\3\end{pmatrix} | y=2x;2x | (-1,1)\cup(2,3);(2,3) | 2^{99};3^{99}
| e^{x};\frac{1}{x} | \text{odd};abc"""


def judge(gold: str, predicted: str) -> bool:
    """Whether two normalised answers are the same mathematics. The rules are not symmetric: the gold one comes first.

    Their values decide first (:mod:`daro_verl.reward.numeric`), then math-verify:

    - An interval can equal an inequality: ``(1, 2)`` and ``1 < x < 2``.
    - ``x = 5`` equals 5, but not ``y = 5``.
    - An open interval is a pair.
    - A ratio of three or more terms, ``2:3:4``, is compared term by term up to a factor.
    - Text that math-verify cannot parse is compared as text.
    """
    ratios = ratio_terms(gold), ratio_terms(predicted)
    if all(ratios) and max(map(len, ratios)) >= _RATIO:
        return _same_ratio(*ratios)
    unions = as_union(gold), as_union(predicted)
    if unions != (gold, predicted) and judge(*unions):
        return True
    gold, predicted = distinct(gold, predicted)
    parsed = _parse(gold), _parse(predicted)
    if not parsed[0] or not parsed[1]:
        return False
    verdict = _by_value(parsed[0][0], parsed[1][0])
    if verdict is not None:
        return verdict
    return bool(verify(*parsed, allow_set_relation_comp=True, timeout_seconds=None))


def _same_ratio(gold: list[str], predicted: list[str]) -> bool:
    """Whether each term has the same quotient by the first one that is not 0."""
    if len(gold) != len(predicted):
        return False
    first = next((place for place, term in enumerate(gold) if term.strip() != "0"), 0)
    return all(
        judge(rf"\frac{{{one}}}{{{gold[first]}}}", rf"\frac{{{other}}}{{{predicted[first]}}}")
        for one, other in zip(gold, predicted, strict=True)
    )


def is_readable(gold: str) -> bool:
    """Whether math-verify can read a gold answer, or the part after its last equals sign, so that it equals itself.

    :func:`judge` cannot tell, because it compares unreadable answers as text.
    """
    gold = distinct(gold, gold)[0]
    for text in (gold, gold.rpartition("=")[2].strip()):
        parsed = parse(_boxed(text), _CONFIG, fallback_mode="no_fallback", parsing_timeout=None)
        if parsed:
            return bool(verify(parsed, parsed, allow_set_relation_comp=True, timeout_seconds=None))
    return False


def warm_up() -> None:
    """Judge one pair of every kind."""
    for pair in _KINDS.split("|"):
        gold, predicted = pair.strip().split(";")
        judge(gold, predicted)
        verify(_parse(gold), _parse(predicted), allow_set_relation_comp=True, timeout_seconds=None)


@lru_cache(maxsize=256)  # a gold answer comes again with every response of its prompt
def _parse(text: str) -> list[Any]:
    return parse(_boxed(text), _CONFIG, parsing_timeout=None)


def _boxed(text: str) -> str:
    return rf"\boxed{{{text}}}"


def _by_value(gold: Any, predicted: Any) -> bool | None:
    try:
        return same_value(gold, predicted)
    except MemoryError:
        raise
    except Exception:  # sympy raises many kinds of errors if it cannot evaluate; math-verify may still decide
        return None
