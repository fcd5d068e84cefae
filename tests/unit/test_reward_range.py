"""Rewards on any scale: the range that makes them comparable, where it is kept, and what becomes of each scale."""

import json
import logging

import numpy as np
import pytest
import torch

from daro_verl.advantage import compute_daro_advantage, find_weighting
from daro_verl.advantage.in_verl import estimate_advantage
from daro_verl.advantage.pass_rates import read_pass_rates
from daro_verl.advantage.reward_range import RewardRange, SeenRewards
from daro_verl.advantage.tokens import TrainingTokens
from daro_verl.advantage.weighting import weighting_names
from daro_verl.config import DaroConfig
from daro_verl.errors import DaroCheckpointError, DaroConfigError
from daro_verl.job import prepare_job
from daro_verl.resume import resumed_from
from daro_verl.workers.bin_counts import count_bins
from tests.unit.jobs import compose_job
from tests.unit.reward_scales import SCALES, two_values
from tests.unit.test_seams import compose_experimental

G = 4
LENGTHS = torch.tensor([3, 1, 4, 2, 5, 2, 6, 1, 2, 2, 2, 2])


def mask() -> torch.Tensor:
    return (torch.arange(6) < LENGTHS[:, None]).long()


def outcome(rewards) -> torch.Tensor:
    """[12, 6], the reward on the last token."""
    scores = torch.zeros(12, 6)
    scores[torch.arange(12), LENGTHS - 1] = torch.tensor(rewards, dtype=torch.float32).flatten()
    return scores


UIDS = np.array([*"aaaabbbbcccc"], dtype=object)


def estimated(rewards, weighting="learned", rewards_of_job=None, **options):
    if rewards_of_job is None and "reward_range" in options:
        rewards_of_job = {"file": None, "resumed_file": None, "step": 0, "given": options["reward_range"]}
    own = DaroConfig.from_mapping({"weighting": weighting, **options}).to_dict()
    config = {"daro": {**own, "num_rollouts": G, "rewards": rewards_of_job}}
    return estimate_advantage(outcome(rewards), mask(), UIDS, config)


def bins_of(returns) -> torch.Tensor:
    return read_pass_rates(returns, mask()).bins(G)


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.name)
def test_twelve_scales(scale, tmp_path):
    given = scale.options.get("reward_range")
    job = {"file": str(tmp_path / "r.json"), "resumed_file": None, "step": 0, "given": given}
    if scale.earlier:
        low, high = scale.earlier
        estimated(two_values(low, high), rewards_of_job=job, **scale.options)
    advantages, returns = estimated(scale.rewards, rewards_of_job=job, **scale.options)
    bins = bins_of(returns)
    counted = ~read_pass_rates(returns, mask()).lost
    of_prompt = [set(bins[i * G : (i + 1) * G][counted[i * G : (i + 1) * G]].tolist()) for i in range(3)]
    assert [prompt.pop() if prompt else 0 for prompt in of_prompt] == scale.bins
    taught = (advantages != 0).any(1) & (bins > 0) & (bins < G)
    assert taught.any() != scale.untaught
    # a prompt is in a bin that teaches exactly where its rewards differ
    assert (taught == ((bins > 0) & (bins < G) & (advantages.abs().amax(1) > 0))).all()


@pytest.mark.parametrize(("failure", "success"), [(-1, 1), (0, 0.1), (10, 100), (0, 1e-9), (-1e9, 1e9)])
@pytest.mark.parametrize("weighting", ["learned", "paper", "closed_form", "uniform", "inverse_variance"])
def test_two_values_are_the_same_rewards_to_the_last_bit(failure, success, weighting):
    usual = estimated(two_values(0, 1), weighting)
    other = estimated(two_values(failure, success), weighting)
    assert all(torch.equal(a, b) for a, b in zip(usual, other, strict=True))


def test_rewards_of_0_and_1_are_what_they_were():
    """``A = r - mean``, ``mu`` = successes / responses, computed here as before there was a range."""
    generator = torch.Generator().manual_seed(0)
    rewards = torch.randint(0, 2, (12,), generator=generator).float()
    advantages, returns = estimated(rewards)
    rates = rewards.double().view(3, G).mean(1).repeat_interleave(G)
    expected = (rewards.double() - rates).float()[:, None] * mask()
    assert torch.equal(advantages, expected)
    assert torch.equal(returns, torch.where(rewards > 0.5, rates, -rates).float()[:, None] * mask())


@pytest.mark.parametrize("weighting", ["grpo", "dr_grpo"])
def test_baselines_stay_verls_for_any_rewards(weighting):
    from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage

    rewards = [[-2.0, 1, -1, 0.5], [20, 25, 15, 10], [0.1, 0.1, 0, 0.3]]
    advantages, _ = estimated(rewards, weighting)
    by_std = weighting == "grpo"
    verls, _ = compute_grpo_outcome_advantage(outcome(rewards), mask(), UIDS, norm_adv_by_std_in_grpo=by_std)
    torch.testing.assert_close(advantages, verls, rtol=1e-5, atol=1e-5)


def test_every_weighting_says_which_rewards_it_means():
    raw = {name for name in weighting_names() if find_weighting(name).raw_rewards}
    assert raw == {"grpo", "dapo", "dr_grpo", "lipo", "focal"}


def test_loss_on_policy_is_minus_the_covariance_of_reward_and_length():
    """``L_k = -(1/T) sum_i A_i len_i = -cov(u, len) / mean(len)`` for any rewards, ``u`` in units of their range.

    Prompt a: rewards -2, 1, -1, 0.5 in [-3, 3] are u = 1/6, 4/6, 2/6, 3.5/6, mean 10.5/24 = 0.4375, and lengths
    3, 1, 4, 2, mean 2.5. sum (u - mean) len = -0.8125 + 0.22917 - 0.41667 + 0.29167 = -0.70833; divided by T = 10 and
    with the minus sign L = 0.070833.
    """
    rewards = [[-2, 1, -1, 0.5], [0.0] * 4, [0.0] * 4]
    advantages, returns = estimated(rewards, reward_range=[-3, 3])
    tokens = TrainingTokens.of(mask())
    counts = count_bins(bins_of(returns), read_pass_rates(returns, tokens), advantages, tokens, G)
    assert counts.loss_on_policy()[2].item() == pytest.approx(0.0708333, rel=1e-5)
    u, length = torch.tensor([1 / 6, 4 / 6, 2 / 6, 3.5 / 6]), torch.tensor([3.0, 1, 4, 2])
    covariance = ((u - u.mean()) * (length - length.mean())).mean()
    assert counts.loss_on_policy()[2].item() == pytest.approx((-covariance / length.mean()).item(), rel=1e-5)


def test_a_threshold_that_misses_is_counted_and_said_once(caplog, tmp_path):
    job = {"file": str(tmp_path / "r.json"), "resumed_file": None, "step": 0, "given": None}
    for _ in range(2):
        advantages, returns = estimated(two_values(0, 0.1), rewards_of_job=job, success_threshold=0.5)
    assert caplog.text.count("2 of 3 prompts teach nothing although their rewards differ") == 1
    assert "[0.0, 0.1, 0.0, 0.0]" in caplog.text and "success_threshold=0.5" in caplog.text
    tokens = TrainingTokens.of(mask())
    counts = count_bins(bins_of(returns), read_pass_rates(returns, tokens), advantages, tokens, G)
    assert counts.with_advantage.tolist() == [8, 0, 0, 0, 0]  # both prompts are in bin 0


def test_the_range_widens_is_declared_and_saved(tmp_path, caplog):
    caplog.set_level(logging.INFO, "daro_verl")
    file = tmp_path / "checkpoints" / "daro_rewards.json"
    seen = SeenRewards(str(file))
    assert not seen.see(torch.zeros(4)).is_known and not file.exists()
    assert seen.see(torch.tensor([0.0, 0.5, float("nan")])) == RewardRange(0.0, 0.5)
    assert "Rewards lie in [0, 0.5] (in this batch {0, 0.5})" in caplog.text
    assert "+algorithm.daro.reward_range=[0,0.5]" in caplog.text
    seen.see(torch.tensor([0.0, 0.5]))
    assert seen.see(torch.tensor([1.0])) == RewardRange(0.0, 1.0)
    assert json.loads(file.read_text())["ranges"] == [[2, 0.0, 0.5], [4, 0.0, 1.0]]
    assert caplog.text.count("Rewards lie in") == 2


def test_a_resumed_job_knows_what_it_knew(tmp_path):
    """Killed in step 5, after a checkpoint of step 3: what step 4 widened is not known yet, and is widened again."""
    file = str(tmp_path / "daro_rewards.json")
    seen = SeenRewards(file)
    for rewards in ([0.0, 0.1], [0.0], [0.1], [0.0, 1.0], [1.0]):
        seen.see(torch.tensor(rewards))
    assert SeenRewards(file, file, step=5).range == RewardRange(0.0, 1.0)
    resumed = SeenRewards(file, file, step=3)
    assert resumed.range.high == pytest.approx(0.1)
    resumed.see(torch.tensor([0.0, 1.0]))
    assert [entry[0] for entry in json.loads((tmp_path / "daro_rewards.json").read_text())["ranges"]] == [1, 4]


def test_a_range_goes_along_to_another_folder(tmp_path):
    """A job resumed from another job's checkpoint, and resumed once more before its range widens."""
    old, new = str(tmp_path / "old.json"), str(tmp_path / "new" / "daro_rewards.json")
    SeenRewards(old).see(torch.tensor([0.0, 1.0]))
    SeenRewards(new, old, step=3).see(torch.tensor([0.2]))
    assert SeenRewards(new, new, step=5).range == RewardRange(0.0, 1.0)


def test_estimates_count_where_a_step_has_several(tmp_path):
    """verl's separate_async: four in a step. The second one of step 10 is before a checkpoint of step 20."""
    (tmp_path / "global_step_20").mkdir()
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("20")
    job = [f"trainer.default_local_dir={tmp_path}", "trainer.v1.trainer_mode=separate_async", "+rollout.nnodes=1"]
    config = compose_job(*job, "trainer.v1.separate_async.parameter_sync_step=4")
    prepare_job(config)
    assert config.algorithm.daro.rewards.step == 80


def test_estimates_count_where_a_checkpoint_is_named_after_a_sync(tmp_path):
    """verl's fully_async_policy: a sync, and a version, after four."""
    (tmp_path / "global_step_5").mkdir()
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("5")
    job = [f"trainer.default_local_dir={tmp_path}", "actor_rollout_ref.rollout.n=4"]
    job += ["actor_rollout_ref.actor.strategy=fsdp2", "async_training.trigger_parameter_sync_step=4"]
    config = compose_experimental("fully_async_policy", *job)
    prepare_job(config)
    assert config.algorithm.daro.rewards.step == 20


def test_rewards_that_no_estimate_has_seen_are_previewed():
    """By the replay buffer, poll by poll, before the trainer has the batch. What was declared does not change."""
    seen = SeenRewards()
    assert not seen.preview(torch.tensor([10.0])).is_known
    assert seen.preview(torch.tensor([100.0])) == RewardRange(10.0, 100.0)
    assert not seen.range.is_known
    seen.see(torch.tensor([0.0, 10.0]))
    assert seen.preview(torch.tensor([5.0])) == RewardRange(0.0, 100.0)


def test_a_range_that_is_given_never_changes(tmp_path):
    seen = SeenRewards(str(tmp_path / "r.json"), given=(0.0, 1.0))
    assert seen.preview(torch.tensor([30.0])) == RewardRange(0.0, 1.0)
    assert seen.see(torch.tensor([-5.0, 5.0])) == RewardRange(0.0, 1.0)
    assert not (tmp_path / "r.json").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"format": 2, "ranges": []}', '{"format": 1, "ranges": [[1, 2]]}'])
def test_a_broken_file_is_an_error(tmp_path, content):
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(DaroCheckpointError, match="expected the range of a job's rewards. Fix: restore"):
        SeenRewards(str(tmp_path / "r.json"), str(tmp_path / "r.json"), step=3)


@pytest.mark.parametrize(
    ("overrides", "tracker", "expected"),
    [
        ([], None, (0, None)),
        ([], "7", (7, "here")),
        ([], "8", (0, None)),  # its folder is gone: verl starts from scratch
        (["trainer.resume_mode=disable"], "7", (0, None)),
        (["trainer.resume_mode=resume_path", "trainer.resume_from_path=other/global_step_4"], "7", (4, "other")),
    ],
)
def test_where_a_job_goes_on(tmp_path, monkeypatch, overrides, tracker, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here" / "global_step_7").mkdir(parents=True)
    if tracker:
        (tmp_path / "here" / "latest_checkpointed_iteration.txt").write_text(tracker)
    step, folder = expected
    assert resumed_from(compose_job(*overrides), tmp_path / "here") == (step, tmp_path / folder if folder else None)


def test_a_prepared_job_says_where_the_range_is_kept(tmp_path):
    config = compose_job(f"trainer.default_local_dir={tmp_path}", "+algorithm.daro.reward_range=[0,10]")
    for _ in range(2):
        prepare_job(config)
    assert config.algorithm.daro.rewards.given == [0, 10] and config.algorithm.daro.reward_range == [0, 10]
    assert config.algorithm.daro.rewards.file == str(tmp_path / "daro_rewards.json")
    assert config.trainer.v1.sampler.sampler_kwargs.daro.rewards == config.algorithm.daro.rewards
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [[1, 0], [0], [0, 0], ["a", 1], 3, "wide"])
def test_a_range_must_be_one(wrong):
    with pytest.raises(DaroConfigError, match=r"reward_range: got .*, expected auto or \[low,high\]"):
        DaroConfig.from_mapping({"reward_range": wrong})


def test_the_estimator_alone_takes_rewards_of_0_and_1():
    advantages, _ = compute_daro_advantage(outcome(two_values(0, 1)), mask(), UIDS, find_weighting("learned"))
    assert advantages[:4, 0].tolist() == [-0.25, 0.75, -0.25, -0.25]
