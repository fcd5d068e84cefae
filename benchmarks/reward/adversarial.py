"""Input that hangs or crashes a scorer without limits, or fills its memory; and what this package's scorer does."""

import time
from typing import Any

from benchmarks.reward.memory import resident_mb, workers_mb
from daro_verl.reward import math
from daro_verl.reward.cheap_match import cheap_match
from daro_verl.reward.extract import final_answer
from daro_verl.reward.normalise import normalise
from daro_verl.reward.pool import shared_pool

_GOLD = "x+1"
_BIG = "9" * 10_000
# Longer answers than 2,000 characters never reach math-verify; these are short, and as hopeless.
SHORT_TOWERS = {
    "short tower": "9^{9^{9^{9}}}",
    "factorial of a tower": "10^{10^{10}}!",
    "factorial of a tower in brackets": "(10^{10^{10}})!",
    "tower of 10,000-digit numbers, written short": "(10^{9999}+7)^{10^{9999}+9}",
    "tower of 900-digit numbers": f"{_BIG[:900]}^{{{_BIG[:900]}}}",
    "negative tower": "9^{-9^{9^{9}}}",
    "tower of factorials": "9!^{9!^{9!}}",
}
_ANSWERS = SHORT_TOWERS | {  # against the gold answer x+1, so that text and number comparison cannot decide
    "tower": "9^{9^{9^{9^9}}}",
    "tower plus x": "x+9^{9^{9}}",
    "tower of 10,000-digit numbers": f"{_BIG}^{{{_BIG}}}",
    "long tower": "^{".join(["9"] * 300) + "}" * 299,
    "quotient of towers": r"\frac{7^{7^{7^7}}}{7^{7^{7^7}}}+x",
    "factorial": "(10^{9})!",
    "factorials": "((9!)!)!+x",
    "binomial": r"\binom{10^{12}}{10^{11}}+x",
    "sum": r"\sum_{k=1}^{10^{12}} k^k \sin k",
    "product": r"\prod_{k=1}^{10^{9}} (x+k)",
    "integral": r"\int_0^1 \frac{\sin(x^x) e^{x^{7}}}{\ln(x+\sqrt{x^5+3})} dx",
    "limit": r"\lim_{n \to \infty} \frac{n^{n^n}}{n!}",
    "sine of a tower": r"\sin(10^{10^{10}})",
    "expansion": "(x+y+z+w)^{400}-(x+y+z)^{399}",
    "nested roots": r"\sqrt{x+" * 60 + "1" + "}" * 60,
    "nested parentheses": "(" * 900 + "x" + ")" * 900,
    "nested fractions": r"\frac{1}{1+" * 120 + "x" + "}" * 120,
    "nested braces": "{" * 900 + "x" + "}" * 900,
    "many terms": "+".join(f"x^{{{k}}}" for k in range(250)),
    "many numbers": ",".join(str(k) for k in range(450)),
    "many commas": "," * 1_900,
    "spaces": "x" + " " * 1_900 + "+2",
    "texts": r"\text{" * 300 + "a" + "}" * 300,
    "ands": "x and " * 300,
    "relations": "<".join(["x"] * 400),
    "division by zero": r"\frac{x}{0}+\infty-\infty",
    "million digits": "9" * 1_000_000,
    "commands": r"\undefined" * 180,
    "mixed scripts": "х+١" + "ⅷ𝟙é\u202e\ufeff" * 50,
    "half a surrogate pair": "x+\ud83d",
    "nul bytes": "x\x00+\x002",
    "python": "__import__('os').system('exit 1')",
    "format": "%s%n{0.__class__}",
    "matrix": r"\begin{pmatrix}" + r"\\".join(["x&" * 19 + "x"] * 20) + r"\end{pmatrix}^{50}",
}
_RESPONSES: dict[str, object] = {
    "no response": None,
    "a number": 5,
    "bytes": b"\\boxed{1}",
    "a list": [r"\boxed{1}"],
    "nothing": "",
    "megabytes": "x" * 5_000_000,
    "megabytes of boxes": r"\boxed{" * 500_000,
    "megabytes of braces": "{" * 3_000_000 + "}" * 3_000_000 + r"\boxed{x+1}",
    "megabytes of nul": "\x00" * 3_000_000 + r"\boxed{x+1",
    "megabytes of thinking": "<think></think>" * 300_000 + r"\boxed{x+1}",
    "megabytes in a box": r"\boxed{" + "x+1+" * 1_000_000 + "}",
    "unbalanced": r"}}}\boxed{{{x+1}",
    "box without braces": r"\boxed x+1",
}


def adversarial_cases() -> dict[str, object]:
    """Responses by name."""
    return _RESPONSES | {name: rf"\boxed{{{answer}}}" for name, answer in _ANSWERS.items()}


def run_adversarial(deadline_s: float, rounds: int = 1, workers: int = 2) -> dict[str, Any]:
    """Score every case, one after the other, each on a worker that is there already.

    Returns:
        ``right``, the names of the cases that were taken for right; ``longest_s``, the longest case with its name; the
        counts by outcome; how many cases reach math-verify; how many of the workers are alive at the end, and how many
        are not; the workers' memory at the end, and the growth of it and of this process's memory in the last round.
    """
    pool, seconds, exceptions, right = shared_pool(workers, 1024), {}, {}, set()
    before = math.tally.counts()
    for _ in range(rounds):
        pool.judge(_GOLD, "1+x", 60.0)
        at_start = resident_mb(), workers_mb(pool.pids())
        for name, response in adversarial_cases().items():
            pool.judge(_GOLD, "1+x", 60.0)
            start = time.perf_counter()
            try:
                reward = math.compute_score("adversarial", response, _GOLD, deadline_s=deadline_s, workers=workers)
                right |= {name} if reward["acc"] else set()
            except Exception as error:
                exceptions[name] = repr(error)
            seconds[name] = max(seconds.get(name, 0.0), time.perf_counter() - start)
    longest = max(seconds, key=lambda name: seconds[name])
    pool.judge(_GOLD, "1+x", 60.0)
    return {
        "cases": len(seconds),
        "reach_math_verify": sum(map(_reaches_math_verify, adversarial_cases().values())),
        "deadline_s": deadline_s,
        "longest_s": round(seconds[longest], 3),
        "longest_case": longest,
        "exceptions": exceptions,
        "right": sorted(right),
        "outcomes": {name: count - before[name] for name, count in math.tally.counts().items()},
        "past_the_deadline": sorted(name for name in seconds if seconds[name] >= deadline_s),
        "workers_alive": sum(_runs(pid) for pid in pool.pids()),
        "workers_not_alive": sum(not _runs(pid) for pid in pool.pids()),
        "memory_growth_mb_last_round": round(resident_mb() - at_start[0], 1),
        "workers_memory_mb": round(workers_mb(pool.pids()), 1),
        "workers_memory_growth_mb_last_round": round(workers_mb(pool.pids()) - at_start[1], 1),
    }


def _reaches_math_verify(response: object) -> bool:
    answer = final_answer(response)
    return answer is not None and cheap_match(normalise(_GOLD), normalise(answer)) is None


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as status:
            return status.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
