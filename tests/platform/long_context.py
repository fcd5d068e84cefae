"""Log-probabilities of one long text by verl's Megatron engine and by transformers; run in a process of its own.

Prints JSON, by recipe: the largest absolute difference, of the model that the recipe's smoke run makes and prepares.
``VERL_PLATFORM=cpu`` must be set; ``python -m tests.platform.long_context FOLDER TOKENS``.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
import verl  # noqa: F401  (activate() comes after it, as in verl's plugin loading)
from tensordict import TensorDict

from daro_verl import platform

RECIPES = ("qwen2.5-math-1.5b", "llama-3.1-8b")
QUESTIONS = [[{"role": "user", "content": f"gcd of {a} and {a + 2}?"}] for a in range(2, 12)]


def make(folder: Path, recipe: str) -> Path:
    from daro_verl.toolkit.models.families import choose_family
    from daro_verl.toolkit.models.origin import CONFIG, read_json
    from daro_verl.toolkit.models.prepare import prepare
    from daro_verl.toolkit.recipes import tiny_model

    raw, model = folder / f"{recipe}-raw", folder / recipe
    tiny_model.build(raw, recipe, QUESTIONS)
    prepare(raw, model, choose_family("auto", read_json(raw / CONFIG), {}))
    return model


def by_transformers(model: Path, tokens: torch.Tensor) -> torch.Tensor:
    from transformers import AutoModelForCausalLM

    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)(tokens[None]).logits[0]
    return torch.log_softmax(logits[:-1], -1).gather(1, tokens[1:, None])[:, 0]


def by_megatron(model: Path, tokens: torch.Tensor) -> torch.Tensor:
    from verl.utils import tensordict_utils as tu

    from tests.platform.train_ranks import build_engine

    settings = {"model": model, "tp": 1, "dtype": "float32"}
    engine = build_engine(argparse.Namespace(**settings))
    engine.initialize()
    jagged = {
        "input_ids": tokens, "position_ids": torch.arange(len(tokens)), "loss_mask": torch.ones_like(tokens),
        "prompts": tokens[:1], "responses": tokens[1:], "response_mask": torch.ones_like(tokens[1:]),
    }  # fmt: skip
    nested = {name: torch.nested.as_nested_tensor([row], layout=torch.jagged) for name, row in jagged.items()}
    data = TensorDict(nested, batch_size=1)
    tu.assign_non_tensor(
        data, use_dynamic_bsz=False, micro_batch_size_per_gpu=1, use_remove_padding=False, use_fused_kernels=False,
        global_batch_size=1, mini_batch_size=1, temperature=1.0, calculate_entropy=False, compute_loss=False,
    )  # fmt: skip
    with engine.eval_mode():
        output = engine.infer_batch(data)
    return output["model_output"]["log_probs"].values().flatten()[: len(tokens) - 1]


def main() -> None:
    folder, length = Path(sys.argv[1]), int(sys.argv[2])
    platform.activate()
    store = {"init_method": f"file://{folder / 'store'}", "rank": 0, "world_size": 1}
    torch.distributed.init_process_group("gloo", **store)
    tokens = torch.randint(0, 256, (length,), generator=torch.Generator().manual_seed(0))
    models = {recipe: make(folder, recipe) for recipe in RECIPES}
    found = {
        recipe: (by_megatron(model, tokens) - by_transformers(model, tokens)).abs().max().item()
        for recipe, model in models.items()
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
