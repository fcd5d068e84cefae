"""The estimator, the loss path and a real actor update on a GPU. Without a GPU: not run.

CUDA events on one device measure the times. The actor is a Megatron-core model of Qwen2's shape with random weights, in
bfloat16. verl's worker and DARO's train it in turn, as in the part ``update``. DARO's part of a micro-batch also runs
under torch's CUDA synchronisation debug mode, which raises if the host waits for an operation. That run has a loss
without metrics, because verl's own loss reads values for them.
"""

import tempfile
from functools import partial
from typing import Any

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM
from verl.trainer.ppo.core_algos import get_adv_estimator_fn

from benchmarks.cost import advantage, loss, update
from benchmarks.cost.aims import Aim, largest_ratio
from benchmarks.cost.batches import loss_batch, outcome_batch
from benchmarks.cost.parts import NotRun
from benchmarks.cost.timing import compare, cuda_clock, interleave, milliseconds
from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.mini_batch import MiniBatch, Ranks
from examples.quickstart.sums.tokenizer_model import build_tokenizer

TITLE = "On a GPU"
DTYPES = (torch.float32, torch.bfloat16)
SHAPES = {
    "Qwen2, 0.5B": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14},
    "Qwen2, 1.5B": {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12},
}
UPDATE = ("--repeat", "2", "--longest", "1000", "--micro-batches", "8", "--rounds", "20")
"""80 responses of up to 1,004 tokens."""


def run() -> list[dict[str, Any]]:
    if not torch.cuda.is_available():
        raise NotRun("no GPU on this machine")
    rows = [of_estimator(*size) for size in advantage.SIZES]
    rows += [of_loss(*size, num_rollouts, d) for size in loss.SIZES for num_rollouts in loss.ROLLOUTS for d in DTYPES]
    rows.append(
        {"what": "added to a micro-batch, operations for which the host waits", "number": waits_in_a_micro_batch()}
    )
    return rows + [of_update(name) for name in SHAPES]


def of_estimator(num_responses: int, length: int) -> dict[str, Any]:
    batch = outcome_batch(num_responses, length, advantage.NUM_ROLLOUTS, device="cuda")
    names = ("grpo_vectorized", "daro")
    functions = {name: partial(get_adv_estimator_fn(name), config=advantage.CONFIG, **batch) for name in names}
    seconds = interleave(functions, 50, clock=cuda_clock)
    row = {"what": f"estimator, {num_responses} x {length}", **milliseconds(seconds)}
    return row | compare(seconds, "daro", "grpo_vectorized")


def of_loss(num_responses: int, length: int, rounds: int, num_rollouts: int, dtype: torch.dtype) -> dict[str, Any]:
    """The tensors of the mini-batch are on the device, which is where a micro-batch's are."""
    row = loss.measure(num_responses, length, rounds, num_rollouts, True, "cuda", dtype)
    return {"what": f"loss path, {num_responses} x {length}, G = {num_rollouts}, {dtype}"} | {
        name: row[name] for name in row if name not in ("responses", "length", "G", "layout")
    }


def waits_in_a_micro_batch() -> int:
    """0, or 1 if what DARO does there, forward and backward, makes the host wait for the device."""
    data, _ = loss_batch(64, 1024, num_rollouts=8, nested=False, device="cuda")
    mini_batch = MiniBatch(data, DifficultyWeights(8), Ranks(None, True, 0, "cuda"))
    log_probs = data["old_log_probs"].clone().requires_grad_()

    def loss_fn(model_output: Any, data: Any, dp_group: Any) -> tuple[torch.Tensor, dict[str, Any]]:
        return -(data["advantages"] * model_output["log_probs"] * data["response_mask"]).mean(), {}

    torch.cuda.set_sync_debug_mode("error")
    try:
        mini_batch.loss(loss_fn, {"log_probs": log_probs}, data)[0].backward()
    except RuntimeError as error:
        if "synchroniz" not in str(error):
            raise
        return 1
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return 0


def of_update(name: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = build_tokenizer()
        tokenizer.save_pretrained(folder)
        heads = {"num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True}
        special = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
        Qwen2ForCausalLM(Qwen2Config(**SHAPES[name], **heads, **special)).bfloat16().save_pretrained(folder)
        row = update.measure(1, "--model", folder, *UPDATE, VERL_PLATFORM="")
    return {"what": f"actor update, {name}", **{key: value for key, value in row.items() if key != "arguments"}}


def aims(rows: list[dict[str, Any]]) -> list[Aim]:
    def largest(aim: str, what: str, bound: float) -> Aim:
        return largest_ratio(f"GPU: {aim}", [row for row in rows if row["what"].startswith(what)], bound)

    waits = max((row["number"] for row in rows if "number" in row), default=None)
    return [
        largest("estimator / grpo_vectorized", "estimator", 1.0),
        largest("loss path / vanilla", "loss path", 1.10),
        Aim("GPU: waits of the host added to a micro-batch", waits, 0),
        largest("actor update / GRPO's", "actor update", 1.01),
    ]
