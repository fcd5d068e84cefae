"""One response's verdict: by the math reward that trains, or by the scorer that a generated task has."""

import json
import logging

from daro_verl.reward.extract import final_answer
from daro_verl.reward.math import compute_score
from daro_verl.toolkit.evaluation.problems import Problem
from daro_verl.toolkit.evaluation.records import Response

logger = logging.getLogger(__name__)
_LONGEST_PREDICTION = 200  # characters, as in the math reward


def score(problem: Problem, text: str, length: int, finish: str) -> Response:
    """The verdict on a response's text, decoded without special tokens as verl does. Safe to call from many threads.

    An answer that the math reward could not decide, or on which a task's own scorer failed, is ``timed_out``: counted
    as not right, and shown as what it is.
    """
    if problem.scorer:
        return _score_task(problem, text, length, finish)
    verdict = compute_score(data_source=problem.benchmark, solution_str=text, ground_truth=problem.gold)
    return Response(verdict["pred"], verdict["acc"], verdict["timed_out"], length, finish)


def _score_task(problem: Problem, text: str, length: int, finish: str) -> Response:
    """reasoning-gym's own score of what is in the last box; right from the row's threshold on."""
    import reasoning_gym

    answer = final_answer(text)
    if answer is None:
        return Response("", 0.0, False, length, finish)
    pred = answer[:_LONGEST_PREDICTION]
    try:
        value = reasoning_gym.get_score_answer_fn(problem.scorer)(answer, json.loads(problem.entry))
    except Exception:  # a scorer is anybody's code
        logger.warning("The scorer of %s failed on %.100r", problem.scorer, answer, exc_info=True)
        return Response(pred, 0.0, True, length, finish)
    return Response(pred, float(value >= problem.threshold), False, length, finish)
