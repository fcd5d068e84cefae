"""Hydra overrides of the rollout servers on the CPU platform: what both engines need, and each of its own."""

ROLLOUTS = ("vllm", "sglang")
ROLLOUT = "actor_rollout_ref.rollout"

# SGLang's own arguments, where CUDA is the default.
SGLANG_ARGUMENTS = {
    "device": "cpu",
    "attention_backend": "torch_native",
    "sampling_backend": "pytorch",
    "grammar_backend": "none",
    "enable_memory_saver": False,
    # Of the KV cache, which else takes its share of the machine's memory.
    "max_total_tokens": 32768,
}


def rollout_overrides(rollout: str, dtype: str) -> list[str]:
    """One-rank servers without CUDA graphs, which keep their memory while the actor trains."""
    return [
        f"{ROLLOUT}.name={rollout}",
        f"{ROLLOUT}.dtype={dtype}",
        f"{ROLLOUT}.tensor_model_parallel_size=1",
        f"{ROLLOUT}.enforce_eager=True",
        f"{ROLLOUT}.free_cache_engine=False",
        *(_sglang() if rollout == "sglang" else _vllm()),
    ]


def _vllm() -> list[str]:
    """Without sleep mode; weights come in 16 MB of shared memory; the one rank lives in the engine core's process."""
    return [
        f"++{ROLLOUT}.engine_kwargs.vllm.distributed_executor_backend=uni",
        f"++{ROLLOUT}.enable_sleep_mode=False",
        f"{ROLLOUT}.checkpoint_engine.update_weights_bucket_megabytes=16",
    ]


def _sglang() -> list[str]:
    return [f"++{ROLLOUT}.engine_kwargs.sglang.{name}={value}" for name, value in SGLANG_ARGUMENTS.items()]
