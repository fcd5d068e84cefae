"""Where each bridge goes: the module it patches, and the function that patches it once the module is imported."""

import importlib.metadata

import wrapt

from . import (
    checkpoint_engine,
    checkpoint_writer,
    engines,
    fsdp,
    inductor,
    mbridge,
    megatron,
    process_group,
    sglang,
    stand_ins,
    torch_compile,
    vllm,
    waits,
)

# (module to wait for, bridge to cross once it is there)
BRIDGES = (
    ("torch._dynamo.config", torch_compile.disable),
    ("verl.utils.distributed", process_group.name_one_device_once),
    ("verl.checkpoint_engine.base", checkpoint_engine.register),
    ("verl.utils.fsdp_utils", fsdp.copy_saved_weights),
    ("verl.trainer.ppo.v1.replay_buffer", waits.look_for_rollouts_often),
    ("verl.workers.config.engine", engines.allow_float32_megatron),
    ("verl.workers.engine", engines.register),
    ("verl.workers.rollout.vllm_rollout.bucketed_weight_transfer", vllm.copy_received_weights),
    ("megatron.core.tensor_parallel.random", megatron.keep_rng_states_of_the_cpu),
    ("megatron.core.transformer.dot_product_attention", megatron.leave_the_mask_to_attention),
    ("megatron.core.optimizer.distrib_optimizer", megatron.restore_float32_without_grad),
    ("megatron.core.optimizer.distrib_optimizer", megatron.start_a_fresh_optimizer_at_step_zero),
    ("megatron.core.optimizer.distrib_optimizer", megatron.resume_at_the_step_of_the_checkpoint),
    (
        "megatron.core.dist_checkpointing.strategies.filesystem_async",
        checkpoint_writer.keep_results_in_this_process,
    ),
    ("mbridge.core.llm_bridge", mbridge.use_local_layers),
    ("mbridge.core.bridge", mbridge.name_separate_norms),
    ("vllm.model_executor.layers.utils", vllm.keep_linear_weights),
    ("transformers.utils.import_utils", sglang.do_without_torchvision),
    ("sglang.srt.configs.utils", sglang.register_no_image_processors),
    ("sglang.srt.utils.common", sglang.send_tensors_by_value),
    ("sglang.srt.layers.logits_processor", sglang.do_not_pin_memory),
    ("sglang.srt.entrypoints.engine", sglang.start_processes_with_bridges),
)

_hooks_are_set = False


def install() -> None:
    """Register the platform and set all bridges."""
    from verl.plugin.platform import PlatformRegistry

    from .cpu_platform import PlatformCPU

    PlatformRegistry.register(platform="cpu")(PlatformCPU)
    set_hooks()


def set_hooks() -> None:
    """Set all bridges, once. Modules that are already imported are patched now, the others when they are imported."""
    global _hooks_are_set
    if _hooks_are_set:
        return
    _hooks_are_set = True
    vllm.answer_package_version(importlib.metadata)
    inductor.leave_out_lowering()
    stand_ins.install()
    for module, bridge in BRIDGES:
        wrapt.when_imported(module)(bridge)
