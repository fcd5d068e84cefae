"""The trainer's look at the trajectories that it trains on."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from daro_verl import driver
from daro_verl.errors import DaroSeamError
from daro_verl.rollout import exchange, step_log
from daro_verl.rollout.trajectories import check_version, look_at_trajectories, staleness_by_bin
from tests.exchange.snapshots import snapshot


@pytest.fixture(autouse=True)
def sent(monkeypatch):
    """Versions 0, 2 and 4 were sent with the models of steps 0, 1 and 2."""
    monkeypatch.setattr(exchange, "_sent", {step: snapshot(2 * step, step) for step in range(3)})
    step_log.drain()


def tag(version: int | None, first: int, last: int, rate: float | None = 0.5, **more) -> dict:
    steps = {"min_global_steps": first, "max_global_steps": last}
    return {"daro_weight_version": version, "daro_pass_rate": rate, "daro_num_responses": 2, **steps, **more}


@pytest.mark.parametrize(
    "good",
    [
        tag(2, 1, 1),
        tag(4, 1, 2),  # went on under a second model
        tag(2, 1, 2),  # a multi-turn agent loop keeps the version of its first turn
        tag(None, 1, 1),  # its server held no snapshot
        tag(9, 7, 7),  # of before a resume: not sent by this process
        {},  # of a server that DARO has no counterpart of
    ],
)
def test_versions_that_were_sent_with_the_models(good):
    check_version(good)


@pytest.mark.parametrize("wrong", [tag(4, 1, 1), tag(0, 1, 2)])
def test_a_version_of_another_model_is_an_error_with_both_numbers(wrong):
    with pytest.raises(DaroSeamError, match=f"got {wrong['daro_weight_version']}, expected 2 to"):
        check_version(wrong)


def test_staleness_by_bin_by_hand():
    tags = [tag(0, 0, 0, rate) for rate in (0.5, 0.5, 0.25, None, 1.0)]
    by_bin = staleness_by_bin([0, 2, 3, 9, 1], tags, num_rollouts=4)
    assert by_bin == {"daro/staleness/2of4": [0, 2], "daro/staleness/1of4": [3], "daro/staleness/4of4": [1]}


def look(tags: list[dict], own: dict, monkeypatch, rejects: str | None = None) -> dict[str, float]:
    algorithm = {"daro": {"num_rollouts": 2}, "rollout_correction": {"rollout_rs": rejects}}
    actor = {"ppo_mini_batch_size": 1, "ppo_epochs": 1}
    config = OmegaConf.create({"algorithm": algorithm, "actor_rollout_ref": {"actor": actor, "rollout": {"n": 2}}})
    trainer = SimpleNamespace(config=config, global_steps=3, parameter_sync_step=2, local_trigger_step=1)
    batch = type("Batch", (list,), {})(tags)
    batch.tags, batch.keys = tags, [f"u_{session}_0" for session in range(len(tags))]
    monkeypatch.setattr(driver, "_last", None)
    monkeypatch.setattr("daro_verl.rollout.trajectories.last_counts", lambda: own)
    look_at_trajectories(trainer, batch)
    return step_log.drain()


def test_what_is_logged(monkeypatch):
    tags = [tag(4, 2, 2), tag(None, 1, 1), tag(1, 0, 0, is_padding=True)]
    metrics = look(tags, {"u": (0.5, 2)}, monkeypatch)
    # two actor updates of two mini-batches for each step: 5 done; sent after 4 and after 2
    assert metrics == {"daro/staleness/version_unknown": 1, "daro/staleness/1of2": 2 * (1 + 3) / 2}


def test_a_mismatch_ends_the_job_unless_responses_are_rejected_on_the_way(monkeypatch):
    with pytest.raises(DaroSeamError, match="pass rate 0.5 of 2"):
        look([tag(4, 2, 2)], {"u": (0.5, 1)}, monkeypatch)
    look([tag(4, 2, 2)], {"u": (math.nan, 0)}, monkeypatch, rejects="token_k1")


def test_the_trainers_own_counts_by_uid():
    driver.estimate_advantage(
        token_level_rewards=torch.tensor([[1.0], [0.0], [1.0], [0.0]]),
        response_mask=torch.tensor([[1], [1], [1], [0]]),
        index=np.array(["a", "a", "b", "pad"]),
        config={"daro": {"num_rollouts": 2}},
    )
    driver.drain_pass_rates()
    counts = driver.last_counts()
    assert counts["a"] == (0.5, 2) and counts["b"] == (1.0, 1)
    assert math.isnan(counts["pad"][0]) and counts["pad"][1] == 0


def test_trainers_without_tags_are_left_alone():
    look_at_trajectories(SimpleNamespace(), [])
    assert step_log.drain() == {}
