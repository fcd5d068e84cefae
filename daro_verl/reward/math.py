"""The math reward: ``reward.custom_reward_function.path=pkg://daro_verl.reward.math`` with ``name=compute_score``."""

import logging
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypedDict

from daro_verl.reward.cheap_match import cheap_match, without_bare_unit
from daro_verl.reward.extract import final_answer, last_box
from daro_verl.reward.normalise import Answer, normalise
from daro_verl.reward.options import MathRewardOptions, options_from
from daro_verl.reward.outcomes import UNDECIDED, Outcome, Tally
from daro_verl.reward.pool import shared_pool

logger = logging.getLogger(__name__)

tally = Tally()
_NO_NUMBER = ("nan", "inf", "infinity", "snan")  # what pandas and numpy have where there is none
_LONGEST_PREDICTION = 200  # characters of an answer that are kept in logs and dumps


class MathReward(TypedDict):
    """One response's verdict. All keys are always there, as verl expects."""

    score: float
    """1 if right, 0 if wrong. If not decided: 0, or NaN with ``on_timeout=exclude``."""
    acc: float
    """1 if right, 0 if wrong or not decided. Always finite, for validation and ``filter_groups.metric=acc``."""
    pred: str
    """The answer in its normalised spelling, at most 200 characters; empty if there is no answer."""
    timed_out: bool
    """True if not decided: past the deadline, out of memory, or the worker was lost twice."""


def compute_score(
    data_source: object = None,
    solution_str: object = None,
    ground_truth: object = None,
    extra_info: object = None,
    **kwargs: Any,
) -> MathReward:
    r"""Score a response: whether its last balanced ``\boxed{}`` after the last ``</think>`` is the gold answer.

    Texts, numbers, choices and words are compared here. Everything else goes to math-verify in a worker process
    (:mod:`daro_verl.reward.pool`). You can call this from many threads, as verl does.

    Args:
        data_source: ignored, like ``extra_info``.
        solution_str: the response. It is wrong if it has no answer, or is not a string.
        ground_truth: the gold answer with or without a box, a number, or a sequence of answers, any of which is right.
            If there is no gold answer, the response is wrong, and a warning is logged.
        **kwargs: :class:`MathRewardOptions`.

    Raises:
        DaroConfigError: an option is wrong or unknown.
        RewardWorkerError: no worker can be started, for example because math-verify is not installed.
    """
    options = options_from(kwargs)
    golds, raw = gold_answers(ground_truth), final_answer(solution_str)
    if not golds:
        logger.warning("The math reward got no gold answer from %.100r: %.100r", data_source, ground_truth)
    predicted = normalise(raw or "")
    outcome = _outcome(golds, predicted, options)
    tally.add(outcome, golds[0].text if golds else "", predicted.text)
    timed_out, right = outcome in UNDECIDED, outcome is Outcome.RIGHT
    return MathReward(
        score=float("nan") if timed_out and options.on_timeout == "exclude" else float(right),
        acc=float(right),
        pred=_printable(predicted),
        timed_out=timed_out,
    )


def gold_answers(ground_truth: object) -> list[Answer]:
    """The accepted answers, normalised. There are none if the value holds no text and no number."""
    if hasattr(ground_truth, "tolist"):  # numpy, as verl's parquet files are read
        ground_truth = ground_truth.tolist()
    if isinstance(ground_truth, list | tuple):
        return [answer for part in ground_truth for answer in gold_answers(part)]
    if isinstance(ground_truth, int | float | Decimal | Fraction) and not isinstance(ground_truth, bool):
        ground_truth = "" if str(ground_truth).lower().lstrip("-") in _NO_NUMBER else str(ground_truth)
    if not isinstance(ground_truth, str):
        return []
    boxed = last_box(ground_truth)
    answer = normalise(ground_truth if boxed is None else boxed)
    return [answer] if answer.text else []


def _outcome(golds: list[Answer], predicted: Answer, options: MathRewardOptions) -> Outcome:
    """RIGHT if any gold answer matches, undecided if a comparison was undecided, and WRONG otherwise."""
    pairs = [(gold, without_bare_unit(predicted, gold)) for gold in golds]
    verdicts = [cheap_match(*pair) for pair in pairs]
    if any(verdicts):
        return Outcome.RIGHT
    result = Outcome.WRONG
    for (gold, value), verdict in zip(pairs, verdicts, strict=True):
        if verdict is None:
            pool = shared_pool(options.workers, options.memory_mb)
            outcome = pool.judge(gold.text, value.text, options.deadline_s)
            if outcome is Outcome.RIGHT:
                return outcome
            result = outcome if outcome in UNDECIDED else result
    return result


def _printable(predicted: Answer) -> str:
    text = predicted.text[:_LONGEST_PREDICTION] + ("%" if predicted.percent else "")
    return text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair cannot be written to a file
