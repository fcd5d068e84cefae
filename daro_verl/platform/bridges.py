"""The bridge for each module of another library, and how each process gets all bridges."""

import functools
import importlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import wrapt

from daro_verl.platform import megatron_bridges, sglang_bridges, stand_ins, torch_cuda, verl_bridges, vllm_bridges


@dataclass
class BridgedTarget:
    """A function that a spawned process runs. Unpickling it there sets the bridges.

    Such a process unpickles its target before the target's arguments. So the bridges are set before it imports SGLang.
    """

    module: str
    function: str

    def __setstate__(self, state: dict[str, str]) -> None:
        set_hooks()
        vars(self).update(state)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module(self.module), self.function)(*args, **kwargs)


def start_processes_with_bridges(engine: Any) -> None:
    """Give SGLang's own processes the bridges. They are spawned, and do not import verl, which would load plugins.

    Needed as long as SGLang looks up the targets of its processes in ``sglang.srt.entrypoints.engine``.
    """
    for module, function in (
        ("data_parallel_controller", "run_data_parallel_controller_process"),
        ("scheduler", "run_scheduler_process"),
        ("detokenizer_manager", "run_detokenizer_process"),
    ):
        target = BridgedTarget(f"sglang.srt.managers.{module}", function)
        setattr(engine, function, target)
        setattr(engine.Engine, f"{function}_func", target)


# (module to wait for, bridge to cross once it is there)
BRIDGES: tuple[tuple[str, Callable[[Any], None]], ...] = (
    ("torch._dynamo.config", torch_cuda.disable_torch_compile),
    ("verl.utils.distributed", verl_bridges.name_one_device_once),
    ("verl.utils.fsdp_utils", verl_bridges.copy_saved_weights),
    ("verl.workers.config.engine", verl_bridges.allow_float32_megatron),
    ("verl.trainer.ppo.v1.replay_buffer", verl_bridges.poll_for_rollouts_often),
    ("verl.workers.engine", verl_bridges.register_engines),
    ("verl.workers.engine.fsdp.transformer_impl", verl_bridges.keep_reference_on_the_cpu),
    ("verl.checkpoint_engine.base", verl_bridges.register_checkpoint_engine),
    ("verl.workers.rollout.vllm_rollout.bucketed_weight_transfer", vllm_bridges.copy_received_weights),
    ("megatron.core.tensor_parallel.random", megatron_bridges.keep_rng_states_of_the_cpu),
    ("megatron.core.transformer.dot_product_attention", megatron_bridges.leave_the_mask_to_attention),
    ("megatron.core.optimizer.distrib_optimizer", megatron_bridges.restore_float32_without_grad),
    ("megatron.core.optimizer.distrib_optimizer", megatron_bridges.start_a_fresh_optimizer_at_step_zero),
    ("megatron.core.optimizer.distrib_optimizer", megatron_bridges.resume_at_the_step_of_the_checkpoint),
    ("mbridge.core.llm_bridge", megatron_bridges.use_local_layers),
    ("mbridge.core.bridge", megatron_bridges.name_separate_norms),
    ("mbridge.core.llm_bridge", megatron_bridges.scale_rotary_embeddings),
    ("mbridge.models.llama", megatron_bridges.scale_rotary_embeddings),
    ("vllm.model_executor.layers.utils", vllm_bridges.keep_linear_weights),
    ("transformers.utils.import_utils", sglang_bridges.do_without_torchvision),
    ("sglang.srt.configs.utils", sglang_bridges.register_no_image_processors),
    ("sglang.srt.utils.common", sglang_bridges.send_tensors_by_value),
    ("sglang.srt.layers.logits_processor", sglang_bridges.do_not_pin_memory),
    ("sglang.srt.server_args", sglang_bridges.allow_seeds_of_requests),
    ("sglang.srt.batch_invariant_ops", sglang_bridges.multiply_without_triton),
    ("sglang.srt.layers.sampler", sglang_bridges.draw_without_triton),
    ("sglang.srt.entrypoints.engine", start_processes_with_bridges),
)


def install() -> None:
    """Register the platform with verl and set all bridges."""
    from verl.plugin.platform import PlatformRegistry

    from daro_verl.platform.cpu_platform import PlatformCPU

    PlatformRegistry.register(platform="cpu")(PlatformCPU)
    set_hooks()


@functools.cache
def set_hooks() -> None:
    """Set all bridges, once. Modules already imported are patched now, the others when they are imported."""
    vllm_bridges.answer_package_version(importlib.metadata)
    vllm_bridges.leave_out_lowering()
    stand_ins.install()
    for module, bridge in BRIDGES:
        wrapt.when_imported(module)(bridge)
