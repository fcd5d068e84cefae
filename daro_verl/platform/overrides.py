"""The Hydra overrides of a ``verl.trainer.main_ppo`` job on the CPU platform. They set nothing about the task itself.

``python -m daro_verl.platform.overrides`` prints them one per line, for shell scripts::

    VERL_PLATFORM=cpu python -m verl.trainer.main_ppo $(python -m daro_verl.platform.overrides) data.train_files=...
"""

import argparse

from daro_verl.errors import DaroConfigError

DTYPES = ("bfloat16", "float32")
DTYPE_OF_ENGINE = {"megatron": "bfloat16", "fsdp2": "float32"}
ENGINES = tuple(DTYPE_OF_ENGINE)
ROLLOUTS = ("vllm", "sglang")
ROLLOUT = "actor_rollout_ref.rollout"
CHECKPOINT_ENGINE = "zmq"  # daro_verl.platform.checkpoint_engine

# TransformerConfig fields whose CUDA or Transformer-Engine implementation does not exist here.
TRANSFORMER_SWITCHES = {
    "attention_backend": "unfused",
    "apply_rope_fusion": False,
    "bias_activation_fusion": False,
    "bias_dropout_fusion": False,
    "gradient_accumulation_fusion": False,
    "masked_softmax_fusion": False,
    "persist_layer_norm": False,
    "sequence_parallel": False,
    # Otherwise each layer is initialised within Megatron's CUDA RNG state, and warns that the CPU's state changed.
    "use_cpu_initialization": True,
}

# SGLang's own arguments, where CUDA is the default.
SGLANG_ARGUMENTS = {
    "device": "cpu",
    "attention_backend": "torch_native",
    "sampling_backend": "pytorch",
    "grammar_backend": "none",
    "enable_memory_saver": False,
    # The size of the KV cache, which by default takes its share of the machine's memory.
    "max_total_tokens": 32768,
}


def cpu_overrides(
    num_devices: int = 2,
    engine: str = "megatron",
    dtype: str | None = None,
    rollout_dtype: str = "bfloat16",
    num_cpus: int = 16,
    num_rollout_devices: int = 0,
    rollout: str = "vllm",
) -> list[str]:
    """Return the overrides for one node with ``num_devices`` training ranks and as many rollout servers of one rank.

    Args:
        num_devices: CPU "devices" that Ray schedules, one per training rank.
        engine: ``megatron`` (through vanilla mbridge) or ``fsdp2``, for actor, reference and critic.
        dtype: type of parameters and activations in training. By default bfloat16 for Megatron, float32 for FSDP2.
        rollout_dtype: type of the rollout servers' model.
        num_cpus: CPUs that Ray may promise. Give more than the machine has: verl asks for three per device and one for
            each of its helpers, and most helpers wait.
        num_rollout_devices: separate devices for the rollout servers, for the trainers ``separate_async``,
            ``one_step_off_policy`` and ``fully_async_policy``; 0 for the other trainers.
        rollout: ``vllm`` or ``sglang``, for the rollout servers.

    Raises:
        DaroConfigError: on an unknown engine, dtype or rollout.
    """
    _check("engine", engine, ENGINES)
    dtype = dtype or DTYPE_OF_ENGINE[engine]
    _check("dtype", dtype, DTYPES)
    _check("rollout_dtype", rollout_dtype, DTYPES)
    _check("rollout", rollout, ROLLOUTS)
    return [
        *(_megatron(dtype) if engine == "megatron" else _fsdp2(dtype)),
        *_servers(rollout, rollout_dtype),
        *_host(num_devices, num_rollout_devices, num_cpus),
        *(_separate(num_rollout_devices) if num_rollout_devices else []),
    ]


def _megatron(dtype: str) -> list[str]:
    """Vanilla mbridge, because Megatron-Bridge needs Transformer Engine. No packing: local attention has none."""
    overrides = ["model_engine=megatron", *_no_packing()]
    for role in ("actor_rollout_ref.actor", "critic"):
        megatron = f"{role}.megatron"
        overrides += [
            f"{megatron}.use_mbridge=True",
            f"{megatron}.vanilla_mbridge=True",
            f"{megatron}.use_remove_padding=False",
            f"{megatron}.sequence_parallel=False",
            f"{megatron}.dtype={dtype}",
            *(f"++{megatron}.override_transformer_config.{key}={value}" for key, value in TRANSFORMER_SWITCHES.items()),
        ]
    # The reference model takes the rest from the actor.
    reference = "actor_rollout_ref.ref.megatron"
    return [*overrides, f"{reference}.sequence_parallel=False", f"{reference}.dtype={dtype}"]


def _fsdp2(dtype: str) -> list[str]:
    """PyTorch's own attention, because flash-attention needs CUDA."""
    overrides = ["model_engine=dp", *_no_packing(), "actor_rollout_ref.actor.strategy=fsdp2", "critic.strategy=fsdp2"]
    for model in ("actor_rollout_ref.model", "critic.model"):
        overrides.append(f"++{model}.override_config.attn_implementation=sdpa")
    for config in ("actor_rollout_ref.actor.fsdp_config", "actor_rollout_ref.ref.fsdp_config", "critic.fsdp"):
        overrides += [
            f"{config}.dtype={dtype}",
            f"++{config}.mixed_precision.param_dtype={dtype}",
            f"{config}.use_torch_compile=False",
        ]
    return overrides


def _no_packing() -> list[str]:
    return [f"{model}.use_remove_padding=False" for model in ("actor_rollout_ref.model", "critic.model")]


def _servers(rollout: str, dtype: str) -> list[str]:
    """One-rank servers without CUDA graphs. They keep their memory while the actor trains.

    vLLM has no sleep mode here. Its weights arrive in 16 MB of shared memory. Its rank is in the engine core's process.
    """
    vllm = [
        f"++{ROLLOUT}.engine_kwargs.vllm.distributed_executor_backend=uni",
        f"++{ROLLOUT}.enable_sleep_mode=False",
        f"{ROLLOUT}.checkpoint_engine.update_weights_bucket_megabytes=16",
    ]
    sglang = [f"++{ROLLOUT}.engine_kwargs.sglang.{name}={value}" for name, value in SGLANG_ARGUMENTS.items()]
    return [
        f"{ROLLOUT}.name={rollout}",
        f"{ROLLOUT}.dtype={dtype}",
        f"{ROLLOUT}.tensor_model_parallel_size=1",
        f"{ROLLOUT}.enforce_eager=True",
        f"{ROLLOUT}.free_cache_engine=False",
        *(sglang if rollout == "sglang" else vllm),
    ]


def _separate(num_devices: int) -> list[str]:
    """Rollout servers on ``num_devices`` of their own. The experimental trainers read their number from ``rollout``."""
    places = (ROLLOUT, "++rollout")
    return [
        "actor_rollout_ref.hybrid_engine=False",
        f"{ROLLOUT}.checkpoint_engine.backend={CHECKPOINT_ENGINE}",
        *(f"{place}.nnodes=1" for place in places),
        *(f"{place}.n_gpus_per_node={num_devices}" for place in places),
    ]


def _host(num_devices: int, num_rollout_devices: int, num_cpus: int) -> list[str]:
    """Ray resources, and one process for each kind of helper. verl would start eight."""
    return [
        "trainer.device=cpu",
        "trainer.nnodes=1",
        f"trainer.n_gpus_per_node={num_devices}",
        f"++ray_kwargs.ray_init.num_gpus={num_devices + num_rollout_devices}",
        f"ray_kwargs.ray_init.num_cpus={num_cpus}",
        "++ray_kwargs.ray_init.object_store_memory=500000000",
        "++ray_kwargs.ray_init.include_dashboard=False",
        "++ray_kwargs.ray_init.runtime_env.worker_process_setup_hook=daro_verl.platform.environment.collect_garbage_seldom",
        f"{ROLLOUT}.agent.num_workers=1",
        "reward.num_workers=1",
        "data.dataloader_num_workers=0",
        "transfer_queue.backend.SimpleStorage.num_data_storage_units=1",
    ]


def _check(name: str, got: object, expected: tuple[str, ...]) -> None:
    if got not in expected:
        raise DaroConfigError(name, got=got, expected=f"one of {expected}", fix=f"pass {name}={expected[0]!r}")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m daro_verl.platform.overrides", description=cpu_overrides.__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--num-devices", type=int, default=2)
    parser.add_argument("--engine", choices=ENGINES, default="megatron")
    parser.add_argument("--dtype", choices=DTYPES)
    parser.add_argument("--rollout-dtype", choices=DTYPES, default="bfloat16")
    parser.add_argument("--num-cpus", type=int, default=16)
    parser.add_argument("--num-rollout-devices", type=int, default=0)
    parser.add_argument("--rollout", choices=ROLLOUTS, default="vllm")
    print("\n".join(cpu_overrides(**vars(parser.parse_args(argv)))))


if __name__ == "__main__":
    main()
