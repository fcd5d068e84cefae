"""verl's training worker on either engine, as verl's hybrid-engine worker builds it; nothing of DARO's workers."""

import argparse
from collections.abc import Callable
from functools import partial

import torch
from tensordict import TensorDict
from verl.trainer.config import CheckpointConfig
from verl.workers.config import (
    FSDPActorConfig,
    FSDPEngineConfig,
    FSDPOptimizerConfig,
    HFModelConfig,
    McoreActorConfig,
    McoreEngineConfig,
    McoreOptimizerConfig,
    PolicyLossConfig,
)
from verl.workers.config.engine import TrainingWorkerConfig
from verl.workers.engine_workers import TrainingWorker
from verl.workers.utils.losses import ppo_loss

from daro_verl.platform.overrides import TRANSFORMER_SWITCHES
from tests.ranks.batch import NUM_ROLLOUTS, as_verl_batch
from tests.ranks.reference import ADAM_EPS


def engine_configs(args: argparse.Namespace, policy_loss: PolicyLossConfig) -> tuple:
    """verl's configuration of engine, optimizer and actor."""
    actor = {"rollout_n": NUM_ROLLOUTS, "ppo_micro_batch_size_per_gpu": 1, "policy_loss": policy_loss}
    actor |= getattr(args, "actor", {})
    eps = {"adam_eps" if args.engine == "megatron" else "eps": ADAM_EPS}
    optimizer = {"lr": args.lr, "total_training_steps": 10, "clip_grad": 1e9, "weight_decay": 0.0}
    optimizer["override_optimizer_config"] = eps
    if args.engine == "fsdp2":
        engine = FSDPEngineConfig(
            strategy="fsdp2",
            fsdp_size=-1,
            dtype=args.dtype,
            mixed_precision={"param_dtype": args.dtype},
            use_torch_compile=False,
        )
        return engine, FSDPOptimizerConfig(**optimizer), FSDPActorConfig(strategy="fsdp2", **actor)
    on_gpu = torch.cuda.is_available()
    engine = McoreEngineConfig(
        tensor_model_parallel_size=args.tp,
        pipeline_model_parallel_size=args.pp,
        context_parallel_size=getattr(args, "cp", 1),
        vanilla_mbridge=True,
        sequence_parallel=False,
        use_remove_padding=on_gpu,
        dtype=args.dtype,
        override_transformer_config={} if on_gpu else TRANSFORMER_SWITCHES,
        dist_ckpt_optim_fully_reshardable=True,  # so that another TP or PP can load the optimizer
    )
    return engine, McoreOptimizerConfig(**optimizer), McoreActorConfig(strategy="megatron", **actor)


def make_worker(
    worker_class: Callable[..., TrainingWorker], args: argparse.Namespace, policy_loss: PolicyLossConfig
) -> TrainingWorker:
    """A worker with its engine and loss; ``args.micro_batch_size`` 0 means dynamic, at most 64 tokens each.

    The model's gradient is not clipped, so that it can be compared. ``args.lora_rank``, if there, is for FSDP2.
    """
    engine, optimizer, actor = engine_configs(args, policy_loss)
    engine.use_dynamic_bsz, engine.max_token_len_per_gpu = args.micro_batch_size == 0, 64
    engine.micro_batch_size_per_gpu = args.micro_batch_size
    attention = {"attn_implementation": "sdpa"}
    # Without "extra" (the random state, one for each rank), another parallel layout can load the checkpoint.
    contents = ["model", "optimizer"] if getattr(args, "other_layout", False) else ["model", "optimizer", "extra"]
    lora = {"lora_rank": args.lora_rank, "lora_alpha": 16} if getattr(args, "lora_rank", 0) else {}
    remove_padding = engine.use_remove_padding if args.engine == "megatron" else False
    worker = worker_class(
        config=TrainingWorkerConfig(
            model_type="language_model",
            model_config=HFModelConfig(
                path=args.model, use_remove_padding=remove_padding, override_config=attention, **lora
            ),
            engine_config=engine,
            optimizer_config=optimizer,
            checkpoint_config=CheckpointConfig(load_contents=contents),
        )
    )
    worker.reset()
    worker.set_loss_fn(partial(ppo_loss, config=actor))
    return worker


def part_of_rank(rows: dict, engine) -> TensorDict:
    """What verl's dispatcher sends to this data-parallel rank."""
    size, rank = engine.get_data_parallel_size(), engine.get_data_parallel_rank()
    return as_verl_batch({name: value.chunk(size)[rank] for name, value in rows.items()})
