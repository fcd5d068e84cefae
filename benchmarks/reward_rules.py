"""``python -m benchmarks.reward_rules [--golds N] [--out FILE]``: the value of each rule of the reward.

The pairs are published answers with their golds, and answers made by rule from real golds, whose verdict is known. The
reward scores them, plain math-verify scores them, and the reward scores them again without one rule at a time.
"""

import argparse
import json
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch

from rich.console import Console
from rich.progress import track

from benchmarks.reward.real_files import golds, published_pairs
from benchmarks.reward.rewrites import made_from
from benchmarks.reward.scorers import score_plain
from daro_verl.reward.math import compute_score
from daro_verl.reward.outcomes import Outcome
from daro_verl.reward.pool import Pool

_DEADLINE_S, _THREADS = 5.0, 4
_REWARD = "daro_verl.reward"


class Pair(NamedTuple):
    """``right`` is None for a published answer: nobody's label but a person's would do."""

    rule: str
    gold: str
    answer: str
    right: bool | None

    @property
    def response(self) -> str:
        return rf"\boxed{{{self.answer}}}"


# Each rule of the reward, and what stands in its place when it is taken out.
WITHOUT: dict[str, dict[str, Any]] = {
    "units": {"normalise.split_unit": lambda text: (text, None)},
    "words behind a value": {"cheap_match.split_remark": lambda text: (text, "")},
    "characters": {"normalise._to_latex": lambda text: text},
    "choice": {"cheap_match.same_choice": lambda gold, predicted: None},
    "words": {"cheap_match._same_words": lambda gold, predicted: None},
    "base": {"cheap_match._same_in_base": lambda gold, predicted: None},
    "brackets of a tuple": {"cheap_match._same_brackets": lambda gold, predicted: None},
    "numerals": {"cheap_match.to_number": lambda text: None},
    "structure": {"cheap_match.compare_parts": lambda gold, predicted, compare: None},
    "all rewrites": {"normalise._REWRITES": []},
    "cheap match": {"math.cheap_match": lambda gold, predicted: None if gold.text and predicted.text else False},
    "values": {"judge.same_value": lambda gold, predicted: None},
}
WITHOUT["cheap match and values"] = WITHOUT["cheap match"] | WITHOUT["values"]
_VALUES = f"{_REWARD}.judge.same_value"  # in a worker


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reward_rules", description=__doc__)
    parser.add_argument("--golds", type=int, default=0, help="as many golds, drawn with seed 0; all by default")
    parser.add_argument("--out", type=Path, help="write figures, and the pairs on which scorer and label differ, there")
    arguments = parser.parse_args()
    published, made = pairs(arguments.golds)
    ours = verdicts(published + made)
    plain = score_plain(published + made, lambda pair: pair.response).verdicts
    rules = {name: {f"{_REWARD}.{at}": by for at, by in patches.items()} for name, patches in WITHOUT.items()}
    taken_out = track(rules.items(), "rules taken out", total=len(rules), console=Console(stderr=True))
    others = {name: verdicts(published + made, patches) for name, patches in taken_out}
    everything = published + made
    results = {
        "pairs": dict(zip(("published", "right", "wrong"), counts(everything, [True] * len(everything)), strict=True)),
        "scorers": {name: counts(everything, found) for name, found in (("ours", ours), ("plain math-verify", plain))},
        "without": {name: changes(everything, ours, found) for name, found in others.items()},
        "by_rule": by_rule(made, ours[len(published) :], plain[len(published) :]),
        "ours_and_plain_differ": [
            [*pair[1:3], one] for pair, one, other in zip(published, ours, plain, strict=False) if one != other
        ],
        "wrongly_judged": [pair for pair, one in zip(made, ours[len(published) :], strict=True) if one != pair.right],
    }
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    print(table(results))


def pairs(num_golds: int) -> tuple[list[Pair], list[Pair]]:
    """Published answers, and answers made from ``num_golds`` golds (0: all), each pair once."""
    found = golds()
    if num_golds:
        found = Random(0).sample(found, min(num_golds, len(found)))
    published = [Pair("published", gold, answer, None) for gold, answer in published_pairs()]
    return published, [Pair(rule, gold, answer, right) for gold in found for rule, answer, right in made_from(gold)]


def verdicts(items: Sequence[Pair], patches: dict[str, Any] | None = None) -> list[bool]:
    """Of the reward with some of its functions replaced."""
    patches = dict(patches or {})
    pool = _without_values() if patches.pop(_VALUES, None) else _with_values()
    with ExitStack() as stack:
        for name, by in patches.items():
            stack.enter_context(patch(name, by))
        stack.enter_context(patch(f"{_REWARD}.math.shared_pool", lambda *_: pool))
        with ThreadPoolExecutor(_THREADS) as threads:
            return list(threads.map(_is_right, items))


def _is_right(pair: Pair) -> bool:
    return compute_score(solution_str=pair.response, ground_truth=pair.gold, deadline_s=_DEADLINE_S)["acc"] == 1


class _Remembering:
    """A pool that is asked about each pair of texts once: most rules do not change what reaches it."""

    def __init__(self, judge: Callable[[str, str, float], Outcome]) -> None:
        self.judge = lru_cache(maxsize=None)(judge)


@lru_cache
def _with_values() -> _Remembering:
    return _Remembering(Pool(2, 1024).judge)


@lru_cache
def _without_values() -> _Remembering:
    processes = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))

    def judge(gold: str, predicted: str, deadline_s: float) -> Outcome:
        right = processes.submit(_verify_normalised, gold, predicted, int(deadline_s)).result()
        return Outcome.RIGHT if right else Outcome.WRONG

    return _Remembering(judge)


def _verify_normalised(gold: str, predicted: str, deadline_s: int) -> bool:
    from math_verify import verify

    from daro_verl.reward.judge import _parse

    try:
        return bool(verify(_parse(gold), _parse(predicted), allow_set_relation_comp=True, timeout_seconds=deadline_s))
    except Exception:
        return False


def counts(items: Sequence[Pair], found: Sequence[bool]) -> list[int]:
    """Published answers accepted, right ones accepted, wrong ones accepted."""
    kinds = [pair.right for pair, verdict in zip(items, found, strict=True) if verdict]
    return [kinds.count(kind) for kind in (None, True, False)]


def changes(items: Sequence[Pair], ours: Sequence[bool], found: Sequence[bool]) -> dict[str, Any]:
    """What becomes of the verdicts when a rule is taken out."""
    lost = counts(items, [was and not now for was, now in zip(ours, found, strict=True)])
    gained = counts(items, [now and not was for was, now in zip(ours, found, strict=True)])
    different = [pair for pair, was, now in zip(items, ours, found, strict=True) if was != now]
    published = [pair[1:3] for pair in different if pair.right is None]
    return {"lost": lost, "gained": gained, "published": published, "made": different[:200]}


def by_rule(made: Sequence[Pair], ours: Sequence[bool], plain: Sequence[bool]) -> dict[str, list[int]]:
    """``[pairs, rightly judged by ours, by plain math-verify]``."""
    found: dict[str, list[int]] = {}
    for pair, one, other in zip(made, ours, plain, strict=True):
        row = found.setdefault(f"{'right' if pair.right else 'wrong'}: {pair.rule}", [0, 0, 0])
        row[:] = [row[0] + 1, row[1] + (one == pair.right), row[2] + (other == pair.right)]
    return found


def table(results: dict[str, Any]) -> str:
    """The figures as Markdown."""
    total = results["pairs"]
    lines = [f"| | published answers accepted, of {total['published']} | right accepted, of {total['right']} "]
    lines[0] += f"| wrong accepted, of {total['wrong']} |"
    lines += ["|---|---|---|---|"]
    lines += [f"| {name} | {' | '.join(map(str, row))} |" for name, row in results["scorers"].items()]
    lines += ["", "| taken out | lost and gained: published | right | wrong |", "|---|---|---|---|"]
    for name, found in results["without"].items():
        cells = [f"-{lost} +{gained}" for lost, gained in zip(found["lost"], found["gained"], strict=True)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| made by | pairs | ours rightly | plain rightly |", "|---|---|---|---|"]
    lines += [f"| {name} | {' | '.join(map(str, row))} |" for name, row in results["by_rule"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
