"""What a job says of itself while it trains: one line, each cause once an hour."""

import pytest
import torch

from daro_verl.workers.bin_counts import BinCounts
from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.health import CLAMPED_FOR, NOT_POSITIVE_FOR, TAUGHT_NOTHING_FOR, Health

G = 4
FINE = (8, 8, 8, 8, 8)


class Job:
    """Optimizer steps of a job; the clock is the test's."""

    def __init__(self, **options):
        self.now = 0.0
        self.weights = DifficultyWeights(G, {"weighting": "paper", **options})
        self.health = Health(G, clock=lambda: self.now)

    def steps(self, number, responses=FINE, losses=(0.5, 1.0, 0.5)):
        values = torch.zeros(6, G + 1, dtype=torch.float64)
        values[0] = 10 * torch.tensor(responses)  # ten tokens each
        values[1] = torch.tensor(responses)
        for _ in range(number):
            self.weights.version += 1
            self.health.look(BinCounts(values), torch.tensor(losses, dtype=torch.float64), self.weights)


def test_a_job_that_trains_says_nothing(caplog):
    Job().steps(1000)
    assert not caplog.records


def test_weights_at_a_clamp(caplog):
    job = Job(weight_max=1.0)
    job.steps(CLAMPED_FOR - 1)
    assert not caplog.records
    job.steps(50)
    (line,) = caplog.messages
    assert line.startswith("Something is wrong at optimizer step 10: all difficulty weights at weight_min=0.01 or ")
    assert "weight_max=1 times their start for 10 steps" in line


def test_weights_that_leave_the_clamp_count_anew(caplog):
    job = Job(weight_max=1.0)
    job.steps(CLAMPED_FOR - 1)
    at_clamp = job.weights.weights
    job.weights.weights = lambda: torch.tensor([1.0, 0.9, 1.0], dtype=torch.float64)
    job.steps(1)
    job.weights.weights = at_clamp
    job.steps(CLAMPED_FOR - 1)
    assert not caplog.records


@pytest.mark.parametrize("responses", [(40, 0, 0, 0, 0), (0, 0, 0, 0, 40), (10, 0, 0, 0, 30)])
def test_nothing_taught(caplog, responses):
    job = Job()
    job.steps(TAUGHT_NOTHING_FOR - 1, responses)
    job.steps(1)  # one prompt with both kinds: counted anew
    job.steps(TAUGHT_NOTHING_FOR - 1, responses)
    assert not caplog.records
    job.steps(1, responses)
    (line,) = caplog.messages
    solved = {0: "0%", 40: "100%", 30: "75%"}[responses[-1]]
    assert "nothing taught for 3 steps" in line and f"{solved} of the responses belong to prompts" in line


def test_a_loss_that_is_not_positive_for_long(caplog):
    job = Job()
    job.steps(NOT_POSITIVE_FOR - 1, losses=(0.5, -1.0, 0.0))
    job.steps(5, responses=(8, 8, 0, 0, 8), losses=(0.5, 0.0, 0.0))  # an absent bin says nothing
    assert not caplog.records
    job.steps(1, losses=(0.5, -1.0, 0.5))
    (line,) = caplog.messages
    assert "loss not positive for 20 steps in bins 2of4 " in line


def test_all_causes_in_one_line_and_each_once_an_hour(caplog):
    job = Job(weight_max=1.0)
    job.steps(NOT_POSITIVE_FOR, losses=(-1.0, -1.0, -1.0))
    assert len(caplog.messages) == 2  # clamps at step 10, losses at step 20
    job.now = 3599.0
    job.steps(1, losses=(-1.0, -1.0, -1.0))
    assert len(caplog.messages) == 2
    job.now = 3600.0
    job.steps(1, losses=(-1.0, -1.0, -1.0))
    assert len(caplog.messages) == 3
    assert "weight_max" in caplog.messages[2]
    assert "loss not positive" in caplog.messages[2]


def test_a_weighting_that_does_not_learn_has_no_clamps_to_be_at(caplog):
    job = Job(weighting="grpo", weight_max=1.0)
    job.steps(100, losses=(-1.0, -1.0, -1.0))
    assert not caplog.records
