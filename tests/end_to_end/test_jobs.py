"""The main job on real engines: verl's ``main_ppo``, Ray, Megatron actors at TP = 2, two vLLM servers, on the CPU.

It chooses its prompts, and is resumed after two steps.
"""

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from transformers import AutoTokenizer
from verl.utils.dataset.rl_dataset import RLHFDataset

from daro_verl.prompts import memory_file
from daro_verl.prompts.identity import prompt_ids
from daro_verl.prompts.memory import DifficultyMemory
from daro_verl.prompts.sampler import PromptSampler
from daro_verl.prompts.selection import chances, informative
from tests.end_to_end.watching import QUICKSTART_REWARD, assert_gauges_are, assert_weights_are, served

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
G = 8
BATCH = 16
NUM_PROMPTS = 24  # the second pass begins in step 2
SAVE_EACH = ["trainer.save_freq=1", "trainer.max_actor_ckpt_to_keep=3"]  # to compare with what the servers show
CHOOSING = ["+algorithm.daro.prompts=informative", f"data.train_max_samples={NUM_PROMPTS}", "data.seed=1"]


def quickstart(output: Path, *arguments: str, **env: str) -> str:
    """``python -m examples.quickstart --smoke``: the quickstart's own path, two steps of everything."""
    command = [sys.executable, "-m", "examples.quickstart", "--model", "tiny", "--smoke", "--output", str(output)]
    command += [*arguments, *SAVE_EACH, *CHOOSING, f"reward.custom_reward_function.path={output / 'reward.py'}"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    return done.stdout


def logged(output: Path, method: str) -> dict[int, dict[str, float]]:
    """Metrics by step, from verl's file logger, over all attempts."""
    steps: dict[int, dict[str, float]] = {}
    for path in sorted((output / method / "attempts").glob("*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            steps.setdefault(row["step"], {}).update(row["data"])
    return steps


def checkpoint(output: Path, step: int) -> Path:
    return output / "daro" / "checkpoints" / f"global_step_{step}"


def weights_file(output: Path, step: int) -> dict:
    return json.loads((checkpoint(output, step) / "actor" / "daro_weights.json").read_text())


def memory_of(output: Path, step: int) -> DifficultyMemory:
    return memory_file.read(checkpoint(output, step) / memory_file.FILE_NAME)[0]


def drawn_after(output: Path, step: int) -> set[int]:
    """The ids of the next batch, from a checkpoint alone: its memory, its weights, and its place in the data set."""
    config = OmegaConf.load(output / "daro" / "hydra" / ".hydra" / "config.yaml")
    tokenizer = AutoTokenizer.from_pretrained(config.actor_rollout_ref.model.path)
    rows = RLHFDataset(config.data.train_files, tokenizer, config.data, max_samples=NUM_PROMPTS).dataframe
    ids, memory = prompt_ids(rows, config.data.prompt_key)[0], memory_of(output, step)
    accept = informative(G, lambda: np.exp(weights_file(output, step)["log_weights"]))
    loader = torch.load(checkpoint(output, step) / "data.pt", weights_only=False)
    place = loader["_sampler_iter_state"]["sampler_iter_state"]

    def accept_positions(positions: np.ndarray) -> np.ndarray:
        return chances(memory, memory.rows(ids[positions]), accept)

    same = {"seed": place["seed"], "data": place["data"]}
    prompts = iter(PromptSampler(len(ids), accept_positions, version=lambda: None, **same))
    prompts.load_state_dict(place)
    return {int(ids[position]) for position in islice(prompts, BATCH)}


@pytest.fixture(scope="module")
def output(tmp_path_factory) -> Path:
    """A DARO job of two steps, and the same command again with one more step, which resumes it."""
    folder = tmp_path_factory.mktemp("quickstart")
    (folder / "reward.py").write_text(QUICKSTART_REWARD)
    quickstart(folder)
    first = weights_file(folder, 2)
    assert first["version"] == 2 and first["num_ranks"] == 2
    quickstart(folder, "--steps", "3")
    return folder


def assert_theorem_1_holds(metrics: dict[str, float], label: str) -> None:
    """One mini-batch per batch is on policy: the engines' loss of a bin is what lengths and rewards alone say."""
    if f"actor/daro/loss/{label}" in metrics:
        on_policy = metrics[f"actor/daro/loss_on_policy/{label}"]
        assert metrics[f"actor/daro/loss/{label}"] == pytest.approx(on_policy, abs=1e-5)
        assert metrics[f"actor/daro/length_right/{label}"] > 0 and metrics[f"actor/daro/length_wrong/{label}"] > 0
        assert 0 <= metrics[f"actor/daro/loss_share/{label}"] <= 1


def test_the_console_says_that_daro_is_on_and_what_rewards_it_saw(output):
    """Each once; the second attempt has the range from the first one's file."""
    first, second = ((output / "daro" / "attempts" / f"{attempt:04d}.log").read_text() for attempt in (1, 2))
    assert first.count("DARO is on: weighting=learned") == second.count("DARO is on: weighting=learned") == 1
    lines = [line for line in (first + second).splitlines() if "DARO step " in line]
    assert [line.partition("DARO step ")[2][0] for line in lines] == ["1", "2", "3"]
    assert first.count("Rewards lie in [0, 1] (in this batch {0, 1})") == 1
    assert "Rewards lie in" not in second
    saved = json.loads((output / "daro" / "checkpoints" / "daro_rewards.json").read_text())
    assert saved["ranges"] == [[1, 0.0, 1.0]]


def test_every_step_logs_daros_metrics(output):
    steps = logged(output, "daro")
    for step in (1, 2, 3):
        metrics = steps[step]
        for k in range(1, G):
            assert 0.01 <= metrics[f"actor/daro/weight/{k}of{G}"] <= 100
            assert 0 <= metrics[f"actor/daro/loss_not_positive/{k}of{G}"] <= 1
            assert 0 <= metrics[f"actor/daro/token_share/{k}of{G}"] <= 1
            assert_theorem_1_holds(metrics, f"{k}of{G}")
        assert sum(metrics[f"actor/daro/response_share/{k}of{G}"] for k in range(G + 1)) == pytest.approx(1)
        ends = metrics[f"actor/daro/response_share/0of{G}"] + metrics[f"actor/daro/response_share/{G}of{G}"]
        assert metrics["actor/daro/taught_nothing"] == pytest.approx(ends)


def test_both_servers_hold_the_actors_weights_at_every_step(output):
    steps = logged(output, "daro")
    # What was sent before step 1 is logged with step 2. Step 3 is the first one of the resumed job.
    assert [steps[step]["actor/daro/exchange/confirmed"] for step in (1, 2, 3)] == [0, 2, 0]
    for name in ("refused", "failed", "late"):
        assert [steps[step][f"actor/daro/exchange/{name}"] for step in (1, 2, 3)] == [0, 0, 0]


def test_the_pass_rates_at_the_source_are_those_that_are_trained_on(output):
    for step, metrics in logged(output, "daro").items():
        if step == 0:  # the validation before the first step
            continue
        assert metrics["daro/responses/discarded"] == 0
        assert metrics["daro/responses/generated"] == G * metrics["daro/source/num_prompts"]
        for k in range(G + 1):
            assert metrics[f"daro/source/{k}of{G}"] == pytest.approx(metrics[f"actor/daro/response_share/{k}of{G}"])


def test_prompts_are_remembered_and_some_are_left_out(output):
    steps, after = logged(output, "daro"), memory_of(output, 3).prompts
    for step in (1, 2, 3):
        assert steps[step]["daro/responses/trained"] == BATCH * G
        assert 0 <= steps[step]["daro/prompts/brier"] <= 1
    left_out = [steps[step]["daro/responses/not_generated"] for step in (1, 2, 3)]
    assert sum(left_out) > 0 and steps[2]["daro/responses/not_generated_so_far"] == left_out[0] + left_out[1]
    assert len(after["id"]) == NUM_PROMPTS and after["visits"].min() == 1  # the first pass is over in step 2
    assert after["visits"].max() > 1


@pytest.mark.parametrize("step", [2, 3])
def test_the_prompts_of_a_step_follow_from_the_checkpoint_before_it(output, step):
    """Of step 2, which the same processes trained, and of step 3, after a resume: as if nothing had been in between."""
    prompts = memory_of(output, step).prompts
    assert set(prompts["id"][prompts["last_step"] == step].tolist()) == drawn_after(output, step - 1)


def test_a_resume_keeps_what_is_known_of_the_prompts_bit_for_bit(output):
    """All that the resumed step did not visit is as it was saved."""
    before, after = (memory_of(output, step).prompts for step in (2, 3))
    untouched = after["last_step"] < 3
    assert untouched.any() and np.array_equal(before["id"], after["id"])
    for name in before:
        assert before[name][untouched].tobytes() == after[name][untouched].tobytes(), name


def test_operators_see_the_weights_of_the_model_that_each_server_serves(output):
    rows = served(output)
    # Steps 0 and 1 before the interruption, 2 after it.
    assert {(row["replica"], row["global_step"]) for row in rows} >= {(r, step) for r in (0, 1) for step in (0, 1, 2)}
    for row in rows:
        assert row["snapshot"]["global_step"] == row["snapshot"]["version"] == row["global_step"]
        assert_gauges_are(row, G)
        if row["global_step"]:
            assert_weights_are(row["snapshot"], weights_file(output, row["global_step"]))


def test_one_update_per_optimizer_step_and_resume_continues(output):
    """The resumed attempt starts from the saved weights: its version and its bins' updates go on counting."""
    steps = logged(output, "daro")
    assert [steps[step]["actor/daro/weight_version/max"] for step in (1, 2, 3)] == [1, 2, 3]
    before, after = weights_file(output, 2), weights_file(output, 3)
    assert after["version"] == 3
    present = [f"actor/daro/loss/{k}of{G}" in steps[3] for k in range(1, G)]
    assert [b + p for b, p in zip(before["num_updates"], present, strict=True)] == after["num_updates"]
    for k in range(G - 1):
        if not present[k]:  # saved, loaded and saved again: to the last bit
            assert after["log_weights"][k] == before["log_weights"][k]
            assert after["adam_exp_avg_sq"][k] == before["adam_exp_avg_sq"][k]


def test_a_complete_run_is_not_run_again(output):
    attempts = list((output / "daro" / "attempts").glob("*.log"))
    quickstart(output, "--steps", "3")
    assert list((output / "daro" / "attempts").glob("*.log")) == attempts
