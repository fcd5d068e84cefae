"""Train verl's Megatron engine for a few steps and export its weights; run by ``torchrun`` in the tests.

Rank 0 writes JSON, a list by rank: the loss and gradient norm of each step and the sum of the absolute values of each
exported weight. ``VERL_PLATFORM=cpu`` must be set.
"""

import argparse
import json
from pathlib import Path

import torch
import verl  # noqa: F401  (activate() comes after it, as in verl's plugin loading)
from tensordict import TensorDict

from daro_verl import platform
from daro_verl.platform.overrides import TRANSFORMER_SWITCHES

GLOBAL_BATCH = 8


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--tp", type=int, default=1)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--checkpoint", type=Path, help="save, train one more step, load, and export again")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def build_engine(args: argparse.Namespace):
    from verl.trainer.config import CheckpointConfig
    from verl.workers.config import HFModelConfig, McoreEngineConfig, McoreOptimizerConfig
    from verl.workers.engine import EngineRegistry

    model = HFModelConfig(
        path=str(args.model), use_remove_padding=False, override_config={"attn_implementation": "sdpa"}
    )
    engine = McoreEngineConfig(
        tensor_model_parallel_size=args.tp,
        vanilla_mbridge=True,
        sequence_parallel=False,
        use_remove_padding=False,
        dtype=args.dtype,
        override_transformer_config=TRANSFORMER_SWITCHES,
    )
    return EngineRegistry.new(
        model_type="language_model",
        backend="megatron",
        model_config=model,
        engine_config=engine,
        optimizer_config=McoreOptimizerConfig(lr=1e-3, total_training_steps=10),
        checkpoint_config=CheckpointConfig(),
    )


def rows(engine, prompt_len: int = 8) -> TensorDict:
    """This data-parallel rank's share of a batch with responses of 4 to 11 tokens and advantages of both signs.

    verl's dispatcher splits the batch in a job. Jagged tensors and the non-tensor settings are as its trainer sends.
    """
    from verl.utils import tensordict_utils as tu

    share = GLOBAL_BATCH // engine.get_data_parallel_size()
    first = share * engine.get_data_parallel_rank()
    generator = torch.Generator().manual_seed(0)
    ids = [torch.randint(0, 80, (prompt_len + 4 + row,), generator=generator) for row in range(GLOBAL_BATCH)]
    ids = ids[first : first + share]
    lengths = [len(row) - prompt_len for row in ids]
    columns = dict(
        input_ids=ids,
        position_ids=[torch.arange(len(row)) for row in ids],
        loss_mask=[torch.cat([torch.zeros(prompt_len), torch.ones(n)]).long() for n in lengths],
        prompts=[row[:prompt_len] for row in ids],
        responses=[row[prompt_len:] for row in ids],
        response_mask=[torch.ones(n).long() for n in lengths],
        advantages=[torch.full((n,), 1.0 if n % 2 else -1.0) for n in lengths],
    )
    jagged = {name: torch.nested.as_nested_tensor(rows, layout=torch.jagged) for name, rows in columns.items()}
    data = TensorDict(jagged, batch_size=share)
    tu.assign_non_tensor(
        data,
        use_dynamic_bsz=False,
        micro_batch_size_per_gpu=2,
        use_remove_padding=False,
        use_fused_kernels=False,
        global_batch_size=GLOBAL_BATCH,
        mini_batch_size=GLOBAL_BATCH,
        temperature=1.0,
        calculate_entropy=False,
    )
    return data


def policy_gradient(model_output, data, dp_group=None):
    """Mean over all response tokens of the global batch of ``-advantage * log_prob``, times the number of DP ranks."""
    from verl.workers.utils.padding import no_padding_2_padding

    log_probs = no_padding_2_padding(model_output["log_probs"], data)
    mask = data["response_mask"].to_padded_tensor(0).bool()
    advantages = data["advantages"].to_padded_tensor(0)
    loss = -(log_probs * advantages * mask).sum() / data["batch_num_tokens"] * data["dp_size"]
    return loss, {"loss": loss.item()}


def train(engine, data: TensorDict) -> dict:
    """One step. The losses of the micro-batches add up to the loss of this rank; not every rank has the norm."""
    with engine.train_mode():
        metrics = engine.train_batch(data, loss_function=policy_gradient)["metrics"]
    return {"loss": sum(metrics["loss"]), "grad_norm": metrics.get("grad_norm")}


def exported(engine) -> dict[str, float]:
    weights, _ = engine.get_per_tensor_param()
    return {name: weight.double().abs().sum().item() for name, weight in weights}


def main() -> None:
    args = parse()
    platform.activate()
    torch.distributed.init_process_group("gloo")
    engine = build_engine(args)
    engine.initialize()
    data = rows(engine)
    result = {"steps": [train(engine, data) for _ in range(args.steps)], "weights": exported(engine)}
    if args.checkpoint:
        engine.save_checkpoint(str(args.checkpoint), global_step=args.steps)
        result["one_step_later"] = [train(engine, data), exported(engine)]
        engine.load_checkpoint(str(args.checkpoint))
        result["restored"] = exported(engine)
        result["one_step_after_restore"] = [train(engine, data), exported(engine)]
    results = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(results, result)
    if torch.distributed.get_rank() == 0:
        args.out.write_text(json.dumps(results))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":  # Megatron's checkpoint writer spawns processes that import this file again
    main()
