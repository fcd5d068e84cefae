"""The reward through verl's own code: its loader, its reward manager, and DARO's estimator behind them."""

import asyncio
import math

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from daro_verl.advantage import compute_daro_advantage, find_weighting

pytest.importorskip("verl")
from tensordict import TensorDict  # noqa: E402
from verl import DataProto  # noqa: E402
from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager  # noqa: E402
from verl.trainer.ppo.metric_utils import process_validation_metrics  # noqa: E402
from verl.trainer.ppo.reward import get_custom_reward_fn  # noqa: E402

ENDLESS = r"\boxed{x+9^{9^{9^{9^9}}}}"


class ReadsBytes:
    """The part of a tokenizer that reward managers use."""

    def decode(self, ids, skip_special_tokens):
        return bytes(ids.tolist()).decode()


def load(**reward_kwargs):
    function = {"path": "pkg://daro_verl.reward.math", "name": "compute_score", "reward_kwargs": reward_kwargs}
    return get_custom_reward_fn(OmegaConf.create({"reward": {"custom_reward_function": function}}))


def as_batch(response, gold):
    ids = torch.tensor([list(response.encode())])
    batch = TensorDict({"responses": ids, "attention_mask": torch.ones_like(ids)}, batch_size=1)
    other = {"data_source": ["math"], "reward_model": [{"ground_truth": gold}], "extra_info": [{}]}
    return DataProto(batch=batch, non_tensor_batch={key: np.array(value, dtype=object) for key, value in other.items()})


def score_all(responses, gold, **reward_kwargs):
    async def run():
        manager = NaiveRewardManager(OmegaConf.create({}), ReadsBytes(), load(**reward_kwargs))
        manager.loop = asyncio.get_running_loop()
        return await asyncio.gather(*(manager.run_single(as_batch(response, gold)) for response in responses))

    return asyncio.run(run())


def test_verl_loads_it_with_its_options():
    reward = load(deadline_s=60.0)(data_source="math", solution_str=r"\boxed{1+x}", ground_truth="x+1", extra_info={})
    assert reward["score"] == 1.0


def test_verls_reward_manager_runs_many_at_once_in_its_event_loop():
    results = score_all([rf"\boxed{{{k}+x}}" for k in range(12)], "x+5", deadline_s=60.0)
    assert [result["reward_score"] for result in results] == [float(k == 5) for k in range(12)]
    assert all(list(result["reward_extra_info"]) == ["score", "acc", "pred", "timed_out"] for result in results)


@pytest.mark.parametrize(("option", "pass_rate"), [("wrong", 1 / 3), ("exclude", 1 / 2)])
def test_a_timeout_is_in_the_pass_rate_or_out_of_it(option, pass_rate):
    results = score_all([r"\boxed{1+x}", r"\boxed{7}", ENDLESS], "x+1", on_timeout=option, deadline_s=0.5)
    tensors = {"responses": torch.zeros(3, 4), "prompts": torch.zeros(3, 2), "attention_mask": torch.ones(3, 6).long()}
    batch = DataProto(batch=TensorDict(tensors, batch_size=3))
    rewards = NaiveRewardManager.assemble_rm_scores(batch, [result["reward_score"] for result in results])
    advantages, returns = compute_daro_advantage(
        rewards, torch.ones(3, 4), np.array(["p"] * 3), find_weighting("learned")
    )
    assert returns[0, 0].item() == pytest.approx(pass_rate)
    assert torch.isfinite(advantages).all()
    assert (advantages[2] == 0).all() == (option == "exclude")


def test_validation_keeps_a_finite_accuracy():
    results = score_all([r"\boxed{1+x}", ENDLESS], "x+1", on_timeout="exclude", deadline_s=0.5)
    infos = {key: [result["reward_extra_info"][key] for result in results] for key in results[0]["reward_extra_info"]}
    metrics = process_validation_metrics(["math"] * 2, ["p"] * 2, infos)["math"]
    assert metrics["acc"]["mean@2"] == 0.5 and metrics["timed_out"]["mean@2"] == 0.5
    assert math.isnan(metrics["score"]["mean@2"])
