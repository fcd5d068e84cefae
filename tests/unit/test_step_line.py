"""The line of a step: its figures by hand, its width, and when it is said."""

import logging

import pytest

from daro_verl.logs import FORMAT, ConsoleFormatter
from daro_verl.workers.step_line import StepLine, line

RAY = "(WorkerDict pid=1234567) "


def update(pass_rate: float, nothing: float, low: float, high: float, **more: float) -> dict[str, float]:
    metrics = {"daro/pass_rate": pass_rate, "daro/taught_nothing": nothing, "daro/weights/min": low}
    return metrics | {"daro/weights/max": high} | {f"daro/{name}": value for name, value in more.items()}


def test_means_over_the_updates_and_the_last_weights():
    updates = [update(0.4, 0.2, 0.9, 1.1, loss_share_ratio=2.0), update(0.6, 0.4, 0.523, 2.09, loss_share_ratio=4.0)]
    expected = "DARO step 12: pass 0.50, informative 70%, w 0.52-2.1, loss ratio 3"
    assert line(12, updates) == expected


def test_a_step_without_a_ratio():
    assert line(1, [update(1.0, 1.0, 1.0, 1.0)]).endswith("informative 0%, w 1-1, loss ratio -")


@pytest.mark.parametrize("low, high, ratio", [(0.0123, 98.7, 1234.5), (1 / 3, 3, 12.34), (0.0123, 100, 7654321.0)])
def test_it_fits_100_columns_with_the_name_that_ray_puts_before_it(low, high, ratio):
    assert len(RAY + line(99999, [update(0.123, 0.0, low, high, loss_share_ratio=ratio)])) <= 100


def test_it_is_said_once_for_each_step_and_alone(caplog):
    caplog.set_level(logging.INFO, logger="daro_verl")
    steps = StepLine()
    steps.say(0)  # the first weight sync, before any update
    steps.add(update(0.5, 0.5, 1.0, 1.0))
    steps.say(1)
    steps.say(1)  # a sync without a training step
    (record,) = caplog.records
    assert ConsoleFormatter(FORMAT).format(record) == record.getMessage() and "DARO step 1: " in record.getMessage()
