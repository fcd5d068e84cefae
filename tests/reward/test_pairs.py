"""Which answers match which gold answers, through the whole reward."""

import pytest

from benchmarks.reward.formats import FORMATS
from benchmarks.reward.pairs import gold_answers, make_pairs
from tests.reward import real_pairs
from tests.reward.hedges import HEDGES, LEGITIMATE
from tests.reward.pairs import DIFFERENT, SAME

ALL = SAME + DIFFERENT + HEDGES + LEGITIMATE + real_pairs.SAME + real_pairs.DIFFERENT


@pytest.mark.parametrize(("gold", "answer"), SAME + real_pairs.SAME)
def test_same(gold, answer, is_right):
    assert is_right(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT + real_pairs.DIFFERENT)
def test_different(gold, answer, is_right):
    assert not is_right(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), HEDGES)
def test_a_hedge_is_wrong(gold, answer, is_right):
    assert not is_right(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), LEGITIMATE)
def test_what_is_usual_around_an_answer_is_no_hedge(gold, answer, is_right):
    assert is_right(gold, answer)


@pytest.mark.parametrize("gold", sorted({gold for gold, _ in ALL}))
def test_every_gold_answer_verifies_against_itself(gold, is_right):
    assert is_right(gold, gold)


@pytest.mark.parametrize("benchmark", FORMATS)
def test_gold_answers_in_the_benchmarks_formats_verify_against_themselves(benchmark, is_right):
    golds = [gold for source, gold in gold_answers(2, seed=7) if source == benchmark]
    assert [gold for gold in golds if not is_right(gold, gold)] == []


def test_verdicts_are_the_labels_of_the_construction(is_right):
    pairs = make_pairs(150, seed=3)
    assert [pair for pair in pairs if is_right(pair.gold, pair.answer) != pair.right] == []
    assert {pair.right for pair in pairs} == {True, False}
