"""One pool of workers for all tests that only ask for verdicts."""

import pytest

from daro_verl.reward.math import compute_score


@pytest.fixture
def is_right():
    def ask(gold, answer):
        reward = compute_score("test", rf"</think>\boxed{{{answer}}}", gold, deadline_s=60.0)
        assert not reward["timed_out"]
        return reward["acc"] == 1.0

    return ask
