"""The reward function that verl calls (``reward.custom_reward_function``): 1 for a right answer, 0 for any other."""

from examples.quickstart.smollm2.task import is_right


def compute_score(data_source: str, solution_str: str, ground_truth: str, extra_info=None, **_) -> dict:
    """RL maximises ``score``. verl validates ``acc`` per data source. ``source`` is the data source's name in dumps."""
    right = float(is_right(solution_str, ground_truth))
    return {"score": right, "acc": right, "source": data_source}
