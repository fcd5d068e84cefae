"""Obstacles in verl's training engines, which are registered for CUDA and NPU, and Megatron's for 16 bits only."""

from types import ModuleType

import wrapt

from . import torch_cuda


class WithoutCuda:
    """Mixin for a Megatron engine: any thread that touches it sees stand-ins for CUDA.

    Engines exist in training workers only, so vLLM's processes keep the real ``torch.cuda``. Ray may build an actor
    in one thread and call its methods in another, hence the check at each access.
    """

    def __getattribute__(self, name: str):
        torch_cuda.stand_in()
        return super().__getattribute__(name)


def register(engine_package: ModuleType) -> None:
    """Register verl's FSDP2 and Megatron engines for the device ``cpu`` as well, the latter with :class:`WithoutCuda`.

    Needed by ``verl.workers.engine`` (verl 0.9.1). ``VERL_ENGINE_DEVICE=cuda`` would select the CUDA engines too, but
    would not tell when stand-ins are needed. Not needed for a backend that verl registers for ``cpu`` itself.
    """
    for backend, on_cpu in {"fsdp2": lambda engine: engine, "megatron": _without_cuda}.items():
        for model_type, backends in engine_package.EngineRegistry._engines.items():
            classes = backends.get(backend, {})
            if "cuda" in classes and "cpu" not in classes:
                register_engine = engine_package.EngineRegistry.register(model_type, backend, device="cpu")
                register_engine(on_cpu(classes["cuda"]))


def _without_cuda(engine: type) -> type:
    return type(f"{engine.__name__}OnCpu", (WithoutCuda, engine), {"__module__": __name__, "__doc__": engine.__doc__})


def allow_float32_megatron(config: ModuleType) -> None:
    """Accept ``McoreEngineConfig(dtype="float32")``, which exactness tests want.

    verl 0.9.1 allows bfloat16 and float16 only, although its engine, mbridge and Megatron's distributed optimizer all
    take float32. Not needed once ``McoreEngineConfig`` accepts it.
    """

    def post_init(check, instance, args, kwargs):
        dtype = instance.dtype
        if dtype != "float32":
            return check(*args, **kwargs)
        vars(instance)["dtype"] = "bfloat16"  # not setattr: the field is frozen
        try:
            return check(*args, **kwargs)
        finally:
            vars(instance)["dtype"] = dtype

    wrapt.wrap_function_wrapper(config, "McoreEngineConfig.__post_init__", post_init)
