"""The reward function that verl calls (``reward.custom_reward_function``): 1 for a right answer, 0 for any other."""

from examples.quickstart.sums.task import is_right


def compute_score(data_source: str, solution_str: str, ground_truth: str, extra_info=None, **_) -> dict:
    """``score`` is what RL maximises, ``acc`` what verl validates per data source; ``source`` names it in dumps."""
    right = float(is_right(solution_str, ground_truth))
    return {"score": right, "acc": right, "source": data_source}
