"""The pairs on which the scorers differ, by the labels of their construction."""

from collections.abc import Sequence
from typing import Any

from benchmarks.reward.pairs import Pair
from benchmarks.reward.scorers import Scored


def summarise(pairs: Sequence[Pair], scored: Scored) -> dict[str, Any]:
    """Speed and mistakes of one scorer."""
    verdicts = list(zip(pairs, scored.verdicts, strict=True))
    return {
        "seconds": round(scored.seconds, 3),
        "answers_per_second": round(len(pairs) / scored.seconds, 1),
        "answers_per_cpu_second": round(len(pairs) / scored.cpu_seconds, 1),
        "correct_verdicts": sum(verdict == pair.right for pair, verdict in verdicts),
        "right_taken_for_wrong": sum(pair.right and not verdict for pair, verdict in verdicts),
        "wrong_taken_for_right": sum(verdict and not pair.right for pair, verdict in verdicts),
    }


def compare(pairs: Sequence[Pair], ours: Scored, plain: Scored) -> dict[str, Any]:
    """How often ours agrees with plain math-verify where that is right, and the pairs on which one alone is right."""
    rows = list(zip(pairs, ours.verdicts, plain.verdicts, strict=True))
    plain_right = [(pair, our) for pair, our, other in rows if other == pair.right]
    return {
        "plain_is_right": len(plain_right),
        "ours_agrees_there": sum(our == pair.right for pair, our in plain_right),
        "plain_alone_is_right": _distinct(pair for pair, our in plain_right if our != pair.right),
        "ours_alone_is_right": _distinct(pair for pair, our, other in rows if our == pair.right != other),
        "ours_alone_is_right_pairs": sum(our == pair.right != other for pair, our, other in rows),
    }


def _distinct(pairs: Any) -> list[list[Any]]:
    """``[benchmark, gold, answer, right]``, each once, in order."""
    return [list(pair) for pair in sorted(set(pairs))]
