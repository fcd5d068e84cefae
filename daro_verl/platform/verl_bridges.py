"""Obstacles in verl 0.9.1: its process group, its FSDP2 utilities, its engines and one long wait."""

import inspect
from collections.abc import Callable
from typing import Any

import wrapt

from daro_verl.platform.torch_cuda import WithoutCuda

POLL_SECONDS = 0.2


def is_mended(function: Callable[..., Any], mark: str) -> bool:
    """Whether the source of verl's function contains the change of a contribution in ``upstream/``."""
    return mark in inspect.getsource(function)


def name_one_device_once(distributed: Any) -> None:
    """Make verl initialise ``cpu:gloo,cuda:gloo``, which torch accepts without CUDA.

    ``verl.utils.distributed`` writes ``f"cpu:gloo,{device}:{backend}"``. For the device ``cpu``, torch refuses the
    duplicate. That module uses the device name for nothing else. Not done if verl leaves out the ``cpu`` part for a
    platform that is itself the CPU (``upstream/cpu_process_group``).
    """
    if hasattr(distributed, "get_process_group_backend"):
        return
    distributed.get_device_name = lambda: "cuda"


def copy_saved_weights(fsdp_utils: Any) -> None:
    """Let trainers that swap two versions of the model (``separate_async``, ``fully_async_policy``) keep both.

    ``fsdp2_sharded_save_to_cpu`` relies on ``tensor.cpu()`` to copy. Without this, the saved version follows the
    optimizer, and old log-probabilities are the current model's. Not done if verl copies
    (``upstream/fsdp2_saved_copy``).
    """
    if is_mended(fsdp_utils.fsdp2_sharded_save_to_cpu, "copy=True"):
        return

    def save(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        shards, global_spec = wrapped(*args, **kwargs)
        return {name: (shard.clone(), spec) for name, (shard, spec) in shards.items()}, global_spec

    wrapt.wrap_function_wrapper(fsdp_utils, "fsdp2_sharded_save_to_cpu", save)


def allow_float32_megatron(config: Any) -> None:
    """Accept ``McoreEngineConfig(dtype="float32")``, which exactness tests want.

    verl allows only bfloat16 and float16, although its engine, mbridge and Megatron's distributed optimizer all take
    float32. Not done if ``McoreEngineConfig`` accepts it (``upstream/megatron_float32``).
    """
    if is_mended(config.McoreEngineConfig.__post_init__, '"float32"'):
        return

    def post_init(check: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        dtype = instance.dtype
        if dtype != "float32":
            return check(*args, **kwargs)
        vars(instance)["dtype"] = "bfloat16"  # not setattr: the field is frozen
        try:
            return check(*args, **kwargs)
        finally:
            vars(instance)["dtype"] = dtype

    wrapt.wrap_function_wrapper(config, "McoreEngineConfig.__post_init__", post_init)


def poll_for_rollouts_often(replay_buffer: Any) -> None:
    """Let the synchronous trainer notice within 0.2 s that all its responses are there.

    ``ReplayBuffer`` sleeps two seconds between two polls. That costs a second of every step on average, and no option
    changes it. The synchronous trainer takes all responses of the step, whenever it polls. The asynchronous trainers
    take what is there, so their interval does not change. Not needed once verl has an option.
    """

    def init(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> None:
        wrapped(*args, **kwargs)
        if instance.trainer_mode == "sync":
            instance.poll_interval = min(instance.poll_interval, POLL_SECONDS)

    wrapt.wrap_function_wrapper(replay_buffer, "ReplayBuffer.__init__", init)


def register_engines(engine_package: Any) -> None:
    """Also register verl's FSDP2 and Megatron engines for the device ``cpu``, Megatron's with ``WithoutCuda``.

    ``verl.workers.engine`` needs this. ``VERL_ENGINE_DEVICE=cuda`` would also select the CUDA engines, but would not
    tell when stand-ins are needed. Not needed for a backend that verl itself registers for ``cpu``.
    """
    registry = engine_package.EngineRegistry
    for model_type, backends in registry._engines.items():
        for backend in ("fsdp2", "megatron"):
            classes = backends.get(backend, {})
            if "cuda" in classes and "cpu" not in classes:
                engine = classes["cuda"] if backend == "fsdp2" else _without_cuda(classes["cuda"])
                registry.register(model_type, backend, device="cpu")(engine)


def _without_cuda(engine: type) -> type:
    return type(f"{engine.__name__}OnCpu", (WithoutCuda, engine), {"__module__": __name__, "__doc__": engine.__doc__})


def keep_reference_on_the_cpu(transformer_impl: Any) -> None:
    """Let FSDP2 offload a reference model to the CPU, where it already is, without pinned memory.

    verl gives ``CPUOffloadPolicy(pin_memory=True)`` to every model that is never trained. That needs an accelerator.
    Not needed once verl leaves ``pin_memory`` to its platform.
    """
    policy = transformer_impl.CPUOffloadPolicy
    transformer_impl.CPUOffloadPolicy = lambda pin_memory: policy(pin_memory=False)


def register_checkpoint_engine(_base: Any) -> None:
    """Register the checkpoint engine ``zmq``, which sends weights to separate rollout servers."""
    from daro_verl.platform import checkpoint_engine  # noqa: F401  (registers itself)
