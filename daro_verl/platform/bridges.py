"""Where each bridge goes: the module it patches, and the function that patches it once the module is imported."""

import importlib.metadata

import wrapt

from . import checkpoint_engine, engines, fsdp, mbridge, megatron, process_group, torch_compile, vllm

# (module to wait for, bridge to cross once it is there)
BRIDGES = (
    ("torch._dynamo.config", torch_compile.disable),
    ("verl.utils.distributed", process_group.name_one_device_once),
    ("verl.checkpoint_engine.base", checkpoint_engine.register),
    ("verl.utils.fsdp_utils", fsdp.copy_saved_weights),
    ("verl.workers.config.engine", engines.allow_float32_megatron),
    ("verl.workers.engine", engines.register),
    ("verl.workers.rollout.vllm_rollout.bucketed_weight_transfer", vllm.copy_received_weights),
    ("megatron.core.tensor_parallel.random", megatron.keep_rng_states_of_the_cpu),
    ("megatron.core.transformer.dot_product_attention", megatron.leave_the_mask_to_attention),
    ("megatron.core.optimizer.distrib_optimizer", megatron.restore_float32_without_grad),
    ("megatron.core.optimizer.distrib_optimizer", megatron.start_a_fresh_optimizer_at_step_zero),
    ("megatron.core.optimizer.distrib_optimizer", megatron.resume_at_the_step_of_the_checkpoint),
    ("mbridge.core.llm_bridge", mbridge.use_local_layers),
    ("mbridge.core.bridge", mbridge.name_separate_norms),
    ("vllm.model_executor.layers.utils", vllm.keep_linear_weights),
)


def install() -> None:
    """Register the platform and set all bridges. Modules that are already imported are patched at once."""
    from verl.plugin.platform import PlatformRegistry

    from .cpu_platform import PlatformCPU

    PlatformRegistry.register(platform="cpu")(PlatformCPU)
    vllm.answer_package_version(importlib.metadata)
    for module, bridge in BRIDGES:
        wrapt.when_imported(module)(bridge)
