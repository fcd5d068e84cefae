"""Staleness in versions of the difficulty weights, for each way in which verl's trainers count what they send."""

from types import SimpleNamespace

import pytest

from daro_verl.staleness import staleness_metrics

MINI_BATCH, G = 8, 4


def trainer(global_steps: int, epochs: int = 1, **attributes) -> SimpleNamespace:
    actor = SimpleNamespace(ppo_mini_batch_size=MINI_BATCH, ppo_epochs=epochs)
    config = SimpleNamespace(actor_rollout_ref=SimpleNamespace(actor=actor, rollout=SimpleNamespace(n=G)))
    return SimpleNamespace(config=config, global_steps=global_steps, **attributes)


class Batch(list):
    """``labels`` repeated to ``num_prompts`` groups, as verl's legacy trainers carry them."""

    def __init__(self, *labels: int | None, num_prompts: int = MINI_BATCH) -> None:
        super().__init__(list(labels) * (num_prompts * G // len(labels)))
        self.non_tensor_batch = {"max_global_steps": list(self)}


class TaggedBatch(list):
    """The same as V1's batches carry them, with some rows of padding behind."""

    def __init__(self, *labels: int, num_prompts: int = MINI_BATCH, padding: int = 0) -> None:
        super().__init__(list(labels) * (num_prompts * G // len(labels)))
        self.tags = [{"max_global_steps": label} for label in self]
        self.tags[len(self) - padding :] = [{"max_global_steps": -1, "is_padding": True}] * padding


def staleness(trainer, batch) -> tuple[float, float]:
    metrics = staleness_metrics(trainer, batch)
    assert set(metrics) == {"daro/staleness/mean", "daro/staleness/max"}
    return metrics["daro/staleness/mean"], metrics["daro/staleness/max"]


@pytest.mark.parametrize("step", [1, 2, 50])
def test_synchronous_trainers_are_never_stale(step):
    v1 = trainer(step, parameter_sync_step=1, local_trigger_step=0)
    assert staleness(v1, TaggedBatch(step - 1, num_prompts=3 * MINI_BATCH, padding=5)) == (0, 0)
    assert staleness(trainer(step), Batch(step - 1)) == (0, 0)


def test_v1_counts_optimizer_steps_also_inside_a_cycle():
    second_of_three = trainer(5, parameter_sync_step=3, local_trigger_step=1)
    # labels 4 (sent last) and 2: one actor update since, and two whole cycles more
    assert staleness(second_of_three, TaggedBatch(4, 2)) == ((1 + 7) / 2, 7)
    assert staleness(trainer(5, epochs=2, parameter_sync_step=1, local_trigger_step=0), TaggedBatch(3)) == (2, 2)
    assert staleness(trainer(5, parameter_sync_step=1, local_trigger_step=0), TaggedBatch(3, num_prompts=24)) == (3, 3)


def test_fully_async_counts_what_was_sent():
    fully_async = trainer(6, trigger_parameter_sync_step=2, current_param_version=2, local_trigger_step=2)
    assert staleness(fully_async, Batch(2, 1)) == ((1 + 3) / 2, 3)  # five updates done; sent after four, after two


@pytest.mark.parametrize("first", [0, 7])
def test_one_step_off_is_one_update_behind_but_for_the_first_step(first):
    one_step_off = trainer(first + 1, _async_gen_next_batch=None)
    assert staleness(one_step_off, Batch(first)) == (0, 0)
    for step in (first + 2, first + 3):
        one_step_off.global_steps = step
        assert staleness(one_step_off, Batch(step - 1, num_prompts=2 * MINI_BATCH)) == (2, 2)


def test_no_metric_where_the_servers_report_no_label():
    assert staleness_metrics(trainer(1), Batch(None)) == {}
