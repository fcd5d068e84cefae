"""``python -m benchmarks.reward [--quick] [--alone] [--out FILE]``: the math reward beside two others, on two cores."""

import argparse
import json
import os
import platform
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.reward.adversarial import run_adversarial
from benchmarks.reward.agreement import compare, summarise
from benchmarks.reward.memory import workers_mb
from benchmarks.reward.pairs import Pair, gold_answers, make_pairs
from benchmarks.reward.scorers import SCORERS, WORKERS, score_ours
from daro_verl.reward.cheap_match import cheap_match
from daro_verl.reward.extract import final_answer
from daro_verl.reward.math import compute_score
from daro_verl.reward.normalise import normalise
from daro_verl.reward.options import MathRewardOptions
from daro_verl.reward.pool import shared_pool

_PAIRS, _QUICK_PAIRS = 10_000, 300
_DEADLINE_S, _QUICK_DEADLINE_S = 5.0, 0.5


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reward", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="300 pairs, a deadline of 0.5 s: a minute")
    parser.add_argument("--alone", action="store_true", help="without the others; their figures in --out stay")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the results there as JSON; they are always printed")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    results = measure(arguments.quick, arguments.seed, arguments.alone)
    if arguments.out:
        if arguments.alone and arguments.out.exists():
            results = json.loads(arguments.out.read_text()) | results
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(_shortened(results), indent=1))


def measure(quick: bool, seed: int, alone: bool) -> dict[str, Any]:
    """All figures of one run."""
    pairs = make_pairs(_QUICK_PAIRS if quick else _PAIRS, seed)
    about = {
        "quick": quick,
        "seed": seed,
        "pairs": len(pairs),
        "cores": len(os.sched_getaffinity(0)),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("math-verify", "latex2sympy2_extended", "sympy", "verl")},
    }
    others = {} if alone else _beside_others(pairs)
    return about | others | {"alone": _alone(pairs, quick, seed)}


def _beside_others(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Speed and agreement of the three scorers."""
    scorers = track(SCORERS.items(), "scorers", total=len(SCORERS), console=Console(stderr=True))
    scored = {name: score(pairs) for name, score in scorers}
    speed = {name: summarise(pairs, one) for name, one in scored.items()}
    return {
        "load_average_at_end": round(os.getloadavg()[0], 1),
        "scorers": speed,
        "times_as_fast": {name: _ratios(speed, name) for name in speed if name != "daro_verl"},
        "agreement": compare(pairs, scored["daro_verl"], scored["plain_math_verify"]),
    }


def _alone(pairs: Sequence[Pair], quick: bool, seed: int) -> dict[str, Any]:
    """What needs no other scorer."""
    cheap = _cheap_match(pairs)
    ours = score_ours(pairs, lambda pair: pair.response)
    thinking = score_ours(pairs, lambda pair: pair.thinking_response)
    pids = shared_pool(WORKERS, MathRewardOptions.memory_mb).pids()
    return {
        "cheap_match": cheap,
        "verdicts": summarise(pairs, ours),
        "same_verdicts_with_boxes_in_the_thinking": thinking.verdicts == ours.verdicts,
        "memory_mb_per_worker": round(workers_mb(pids) / len(pids), 1),
        "self_verification": _verify_golds(2 if quick else 20, seed),
        "adversarial": run_adversarial(_QUICK_DEADLINE_S if quick else _DEADLINE_S, rounds=1 if quick else 2),
        "load_average_at_end": round(os.getloadavg()[0], 1),
    }


def _cheap_match(pairs: Sequence[Pair]) -> dict[str, float]:
    """Share of the pairs that need no worker, and time of extraction, both spellings and the cheap match."""
    start = time.process_time()
    verdicts = [cheap_match(normalise(pair.gold), normalise(final_answer(pair.response) or "")) for pair in pairs]
    seconds = time.process_time() - start
    decided = len(pairs) - verdicts.count(None)
    return {"decided": decided / len(pairs), "cpu_ms_per_answer": round(1000 * seconds / len(pairs), 3)}


def _verify_golds(per_format: int, seed: int) -> dict[str, Any]:
    golds = gold_answers(per_format, seed)
    failed = [gold for gold in golds if compute_score(gold[0], rf"\boxed{{{gold[1]}}}", gold[1])["acc"] != 1]
    return {"golds": len(golds), "verified": len(golds) - len(failed), "failed": failed}


def _ratios(speed: dict[str, Any], other: str) -> dict[str, float]:
    """Ours over another scorer, by the clock and by processor time."""
    units = "answers_per_second", "answers_per_cpu_second"
    return {unit: round(speed["daro_verl"][unit] / speed[other][unit], 2) for unit in units}


def _shortened(results: dict[str, Any]) -> dict[str, Any]:
    agreement = results.get("agreement", {"ours_alone_is_right": []})
    return results | {"agreement": agreement | {"ours_alone_is_right": agreement["ours_alone_is_right"][:10]}}


if __name__ == "__main__":
    main()
