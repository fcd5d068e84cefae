"""verl's trainer with two FSDP2 ranks and two vLLM servers, all on the CPU. Megatron: ``tests/end_to_end``."""

import json
import re
from pathlib import Path

import pytest

from daro_verl.platform.overrides import cpu_overrides
from tests.platform.processes import PROJECT, run

pytestmark = pytest.mark.slow

REWARD = "def compute_score(data_source, solution_str, ground_truth, extra_info=None, **kwargs):\n    return {0}\n"
PLUGIN = "from daro_verl import platform\nif platform.requested():\n    platform.activate()\n"


def task(folder: Path) -> list[str]:
    """Write 32 additions, a reward (one for an answer that has a digit) and a model; return their overrides."""
    import pandas

    from tests.platform import tiny_model

    rows = [
        {
            "data_source": "additions",
            "prompt": [{"role": "user", "content": f"{n}+{n}="}],
            "reward_model": {"style": "rule", "ground_truth": str(2 * n)},
            "extra_info": {"index": n},
        }
        for n in range(32)
    ]
    pandas.DataFrame(rows).to_parquet(folder / "additions.parquet")
    (folder / "reward.py").write_text(REWARD.format("float(any(c.isdigit() for c in solution_str))"))
    (folder / "cpu_platform_plugin.py").write_text(PLUGIN)
    tiny_model.build(folder / "model")
    return [
        f"data.train_files={folder / 'additions.parquet'}",
        f"data.val_files={folder / 'additions.parquet'}",
        f"reward.custom_reward_function.path={folder / 'reward.py'}",
        f"actor_rollout_ref.model.path={folder / 'model'}",
        "algorithm.adv_estimator=grpo",
        "data.train_batch_size=8",
        "data.max_prompt_length=64",
        "data.max_response_length=16",
        "actor_rollout_ref.actor.optim.lr=1e-3",
        "actor_rollout_ref.actor.ppo_mini_batch_size=8",
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=16",
        "actor_rollout_ref.rollout.n=4",
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=16",
        "actor_rollout_ref.rollout.max_model_len=128",
        "actor_rollout_ref.rollout.max_num_seqs=32",
        "actor_rollout_ref.rollout.max_num_batched_tokens=1024",
        f"trainer.logger={json.dumps(['console'])}",
        "trainer.val_before_train=False",
        "trainer.test_freq=-1",
        "trainer.save_freq=-1",
        "trainer.total_training_steps=2",
    ]


def metric(output: str, name: str) -> list[float]:
    return [float(value) for value in re.findall(rf"{re.escape(name)}:(-?[\d.e+-]+)", output)]


def test_float32_rollout_and_training_agree_on_the_log_probabilities(tmp_path):
    pytest.importorskip("vllm")
    pytest.importorskip("pandas")
    overrides = [*cpu_overrides(engine="fsdp2", dtype="float32", rollout_dtype="float32"), *task(tmp_path)]
    output = run(
        ["-m", "verl.trainer.main_ppo", *overrides],
        timeout=500,
        cwd=tmp_path,
        PYTHONPATH=f"{PROJECT}:{tmp_path}",
        VERL_USE_EXTERNAL_MODULES="cpu_platform_plugin",
    )
    assert len(metric(output, "actor/grad_norm")) == 2 and all(metric(output, "actor/grad_norm"))
    # The second step also shows that the updated weights reached the servers.
    assert metric(output, "rollout_corr/kl") == pytest.approx([0.0, 0.0], abs=1e-5)
