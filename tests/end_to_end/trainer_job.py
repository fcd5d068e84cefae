"""A DARO job small enough to run once per trainer of verl: two-layer model, 64 additions, one training rank."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.platform import tiny_model

ROOT = Path(__file__).parents[2]
G = 4
MINI_BATCH = 8  # prompts per optimizer step
# A random model answers with random bytes: about half of its answers are right by this rule, in every mixture.
REWARD = (
    "def compute_score(data_source, solution_str, ground_truth, extra_info=None, **kwargs):\n"
    "    return float(sum(map(ord, solution_str)) % 2)\n"
)
# The same, looking at every rollout server over HTTP while it serves, as an operator would.
WATCHING_REWARD = (
    f"from tests.end_to_end.watching import look_at_servers\n{REWARD.rstrip()} + look_at_servers(__file__)\n"
)


def write_task(folder: Path) -> list[str]:
    """Write additions, a reward and a model; return the overrides of the task, whatever the trainer."""
    import pandas

    rows = [
        {
            "data_source": "additions",
            "prompt": [{"role": "user", "content": f"{n}+{n}="}],
            "reward_model": {"style": "rule", "ground_truth": str(2 * n)},
            "extra_info": {"index": n},
        }
        for n in range(64)
    ]
    pandas.DataFrame(rows).to_parquet(folder / "additions.parquet")
    (folder / "reward.py").write_text(WATCHING_REWARD)
    tiny_model.build(folder / "model")
    actor, rollout = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
    return [
        "algorithm.adv_estimator=daro",
        "+algorithm.daro.weighting=paper",  # whose weights move by a known step from 1
        "+algorithm.daro.metrics=all",
        f"data.train_files={folder / 'additions.parquet'}",
        f"data.val_files={folder / 'additions.parquet'}",
        "data.max_prompt_length=64",
        "data.max_response_length=16",
        f"reward.custom_reward_function.path={folder / 'reward.py'}",
        f"actor_rollout_ref.model.path={folder / 'model'}",
        f"{actor}.optim.lr=1e-3",
        f"{actor}.ppo_mini_batch_size={MINI_BATCH}",
        f"{actor}.ppo_micro_batch_size_per_gpu={MINI_BATCH * G}",
        f"{rollout}.n={G}",
        f"{rollout}.log_prob_micro_batch_size_per_gpu={MINI_BATCH * G}",
        f"{rollout}.max_model_len=128",
        f"{rollout}.max_num_seqs=32",
        f"{rollout}.max_num_batched_tokens=1024",
        "trainer.logger=[console,file]",
        "trainer.val_before_train=False",
        "trainer.test_freq=-1",
        "trainer.total_epochs=100",
        f"trainer.default_local_dir={folder / 'checkpoints'}",
        f"hydra.run.dir={folder / 'hydra'}",
    ]


def environment(folder: Path, level: str = "WARN") -> dict[str, str]:
    """Variables of a job on the CPU platform, whose metrics go to ``folder``.

    Where hybrid_engine=False, verl 0.9.1 logs at ``level`` INFO with an argument that logging refuses, and fails.
    """
    env = {key: value for key, value in os.environ.items() if not key.startswith(("VERL_", "VLLM_", "RAY_", "OMP_"))}
    return env | {
        "VERL_PLATFORM": "cpu",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "VERL_FILE_LOGGER_PATH": str(folder / "metrics.jsonl"),
        "HF_HUB_OFFLINE": "1",
        "HYDRA_FULL_ERROR": "1",
        "VERL_LOGGING_LEVEL": level,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_prestart_worker_first_driver": "0",
    }


def run(
    folder: Path, module: str, overrides: list[str], timeout: int = 500, level: str = "WARN", **variables: str
) -> subprocess.CompletedProcess:
    """``python -m module overrides`` on the CPU platform; its output is also in ``folder/log.txt``."""
    command, env = [sys.executable, "-m", module, *overrides], environment(folder, level) | variables
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=timeout)
    (folder / "log.txt").write_text(done.stdout + done.stderr)
    return done


def metrics(folder: Path) -> dict[int, dict[str, float]]:
    """What verl's file logger wrote, by step."""
    steps: dict[int, dict[str, float]] = {}
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        steps.setdefault(row["step"], {}).update(row["data"])
    return steps
