"""Which answers match which gold answers, through the whole reward."""

import pytest

from benchmarks.reward.formats import FORMATS
from benchmarks.reward.pairs import gold_answers, make_pairs
from tests.reward import real_pairs
from tests.reward.hedges import HEDGES, LEGITIMATE
from tests.reward.pairs import DIFFERENT, SAME

TABLES = {
    "same": (SAME + real_pairs.SAME, True),
    "different": (DIFFERENT + real_pairs.DIFFERENT, False),
    "hedges": (HEDGES, False),
    "usual around an answer": (LEGITIMATE, True),
}


@pytest.mark.parametrize(("pairs", "right"), TABLES.values(), ids=TABLES)
def test_verdicts_are_those_of_the_table(pairs, right, is_right):
    assert [pair for pair in pairs if is_right(*pair) != right] == []


def test_every_gold_answer_verifies_against_itself(is_right):
    golds = {gold for pairs, _ in TABLES.values() for gold, _ in pairs}
    assert [gold for gold in golds if not is_right(gold, gold)] == []


@pytest.mark.parametrize("benchmark", FORMATS)
def test_gold_answers_in_the_benchmarks_formats_verify_against_themselves(benchmark, is_right):
    golds = [gold for source, gold in gold_answers(2, seed=7) if source == benchmark]
    assert [gold for gold in golds if not is_right(gold, gold)] == []


def test_verdicts_are_the_labels_of_the_construction(is_right):
    pairs = make_pairs(150, seed=3)
    assert [pair for pair in pairs if is_right(pair.gold, pair.answer) != pair.right] == []
    assert {pair.right for pair in pairs} == {True, False}
