"""Show each obstacle, cross its bridge, and show that it is gone; run in a process of its own by ``test_bridges.py``.

Prints JSON: for each obstacle, what happened ``before`` and ``after`` the bridge (``"ValueError: ..."`` for an
exception). Needs ``VERL_PLATFORM=cpu``; ``python obstacles.py megatron|vllm``.
"""

import importlib
import importlib.metadata
import json
import sys
import tempfile
import threading
from types import SimpleNamespace

import torch
import verl  # noqa: F401  (verl before its plugins)
from verl.plugin.platform import PlatformRegistry

from daro_verl.platform import megatron_bridges, torch_cuda, vllm_bridges
from daro_verl.platform.bridges import BRIDGES
from daro_verl.platform.cpu_platform import PlatformCPU


def outcome(call, *args, **kwargs):
    try:
        return call(*args, **kwargs)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def across(module_name: str, call) -> dict:
    """What ``call(module)`` does before and after the bridges of that module."""
    module = importlib.import_module(module_name)
    before = outcome(call, module)
    for name, bridge in BRIDGES:
        if name == module_name:
            bridge(module)
    return {"before": before, "after": outcome(call, module)}


# ---------------------------------------------------------------------------------------------------- verl


def backend_string(distributed) -> str:
    backend = {}
    original = torch.distributed.init_process_group
    torch.distributed.init_process_group = lambda **kwargs: backend.update(kwargs)
    try:
        distributed.initialize_global_process_group_ray()
    finally:
        torch.distributed.init_process_group = original
    return sorted(torch.distributed.distributed_c10d.BackendConfig(backend["backend"]).device_backend_map.items())


def registered_engines(engines) -> dict:
    found = {
        f"{backend} {model_type}": classes["cpu"]
        for model_type, backends in engines.EngineRegistry._engines.items()
        for backend, classes in backends.items()
        if backend in ("megatron", "fsdp2") and "cpu" in classes
    }
    return {name: [c.__name__ for c in engine.__mro__[:3]] for name, engine in found.items()}


def float32_megatron(config) -> str:
    return config.McoreEngineConfig(dtype="float32", vanilla_mbridge=True, sequence_parallel=False).dtype


# ---------------------------------------------------------------------------------------------------- Megatron


def cuda_calls() -> list:
    return [
        outcome(lambda: str(torch.cuda.current_device())),
        outcome(lambda: str(torch.tensor([1.0], device="cuda").device)),
        outcome(lambda: str(torch.zeros(2).to(torch.device("cuda:0")).device)),
        outcome(lambda: torch.zeros(1).type()),
        outcome(lambda: str(torch.nn.Linear(2, 2).cuda().weight.device)),
        outcome(lambda: str(torch.ones(2).pin_memory().device)),
    ]


def cuda_calls_in_a_new_thread(engine) -> list:
    """Calls in a thread that has touched an engine, or that has not where there is none."""
    result = []

    def run():
        if engine is not None:
            _ = engine.name
        result.extend(cuda_calls())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return result


def dropout_draws(random) -> list:
    """Whether Megatron's tracker repeats a fork after a reset, and leaves the outer generator where it was."""
    draws = []
    for _ in range(2):
        tracker = random.CudaRNGStatesTracker()
        tracker.add("model-parallel-rng", 7)
        state = torch.get_rng_state()
        with tracker.fork():
            draws.append(torch.rand(4))
        assert torch.equal(state, torch.get_rng_state())
    return torch.equal(*draws)


def masked_attention(attention) -> float:
    """Largest difference between local attention given verl's ``[b, s]`` mask and causal attention in PyTorch."""
    from megatron.core.transformer.enums import AttnMaskType
    from megatron.core.transformer.transformer_config import TransformerConfig

    config = TransformerConfig(
        num_layers=1, hidden_size=16, num_attention_heads=2, masked_softmax_fusion=False, attention_dropout=0.0
    )
    layer = attention.DotProductAttention(config, 1, AttnMaskType.causal, "self")
    query, key, value = torch.randn(3, 5, 3, 2, 8, generator=torch.Generator().manual_seed(0))  # [s, b, heads, dim]
    mask = torch.ones(3, 5, dtype=torch.bool)
    got = layer(query, key, value, mask)
    q, k, v = (x.permute(1, 2, 0, 3) for x in (query, key, value))
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    return (got - expected.permute(2, 0, 1, 3).reshape(5, 3, 16)).abs().max().item()


def restored_float32(distrib_optimizer) -> list:
    """The main parameter of a float32 model after a checkpoint's value was copied into it."""
    parameter = torch.nn.Parameter(torch.zeros(4))
    main = parameter.view(-1)[:2]
    optimizer = object.__new__(distrib_optimizer.DistributedOptimizer)
    optimizer.model_param_group_index_map = {parameter: (0, 0)}
    optimizer.config = SimpleNamespace(use_precision_aware_optimizer_no_fp8_or_ds_fp8=False)
    optimizer.optimizer = SimpleNamespace(param_groups=[{"params": [main]}], state={main: {}})
    optimizer._set_main_param_and_optimizer_states(parameter, {"param": torch.ones(2)})
    return parameter.tolist()


def resumed_optimizer(distrib_optimizer) -> list:
    """Adam's step after a checkpoint of step 5 was loaded into a new optimizer and one more step taken."""
    weights = [torch.nn.Parameter(torch.ones(2)) for _ in range(3)]
    adam = torch.optim.AdamW(weights)
    group = {name: 1 for name in distrib_optimizer.param_group_identifier_keys}
    adam.param_groups[0].update(group)
    optimizer = object.__new__(distrib_optimizer.DistributedOptimizer)
    optimizer.optimizer, optimizer.is_stub_optimizer, optimizer.grad_scaler = adam, False, None
    optimizer.ddp_config = SimpleNamespace(use_megatron_fsdp=False)
    optimizer.config = SimpleNamespace(fp16=False)
    optimizer.state_dict()  # as verl's checkpoint manager does before it loads
    optimizer.load_state_dict({"optimizer": {"param_groups": [{**adam.param_groups[0], "step": 5}]}})
    for weight in weights:
        weight.grad = torch.ones(2)
    adam.step()
    return [adam.state[weight]["step"].item() for weight in weights]


def decoder_norm(llm_bridge) -> str:
    """The norm that the spec of a decoder layer names, as mbridge asks for it."""
    from megatron.core.transformer.transformer_config import TransformerConfig

    config = TransformerConfig(num_layers=1, hidden_size=16, num_attention_heads=2, normalization="RMSNorm")
    spec = llm_bridge.get_gpt_decoder_block_spec(config, use_transformer_engine=True)
    return spec.layer_specs[0].submodules.input_layernorm.__name__


def norm_names(_bridge) -> dict:
    from mbridge.models.llama import LLaMABridge
    from mbridge.models.qwen2 import Qwen2Bridge

    return {
        bridge.__name__: [
            object.__new__(bridge)._weight_name_mapping_mcore_to_hf(f"decoder.layers.3.{norm}.weight")
            for norm in ("input_layernorm", "pre_mlp_layernorm", "self_attention.linear_proj")
        ]
        for bridge in (Qwen2Bridge, LLaMABridge)
    }


def swapped_model(fsdp_utils) -> list:
    """A weight as it was saved, as it became, and as it is after the saved one was restored."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 1.0)
    fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
    weights = [model.weight.full_tensor().item()]
    saved = fsdp_utils.fsdp2_sharded_save_to_cpu(model)
    with torch.no_grad():
        model.weight.mul_(3)
    weights.append(model.weight.full_tensor().item())
    fsdp_utils.fsdp2_sharded_load_from_cpu(model, *saved)
    return [*weights, model.weight.full_tensor().item()]


def reference_model(transformer_impl) -> float:
    """What a model answers that verl's FSDP2 engine offloads, as it does every model that is never trained."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 3.0)
    policy = transformer_impl.CPUOffloadPolicy(pin_memory=True)
    fully_shard(model, mesh=init_device_mesh("cpu", (1,)), offload_policy=policy)
    return model(torch.ones(1, 1)).item()


def in_a_group(call, *args):
    """With a process group of this process alone."""
    with tempfile.NamedTemporaryFile() as store:
        torch.distributed.init_process_group("gloo", init_method=f"file://{store.name}", rank=0, world_size=1)
        found = call(*args)
        torch.distributed.destroy_process_group()
    return found


def restores() -> dict:
    """Obstacles in one module, each with the bridges before it crossed."""
    module = importlib.import_module("megatron.core.optimizer.distrib_optimizer")
    found = {}
    for name, bridge, call in (
        ("float32_restore", megatron_bridges.restore_float32_without_grad, restored_float32),
        ("fresh_optimizer", megatron_bridges.start_a_fresh_optimizer_at_step_zero, resumed_optimizer),
        ("resumed_steps", megatron_bridges.resume_at_the_step_of_the_checkpoint, resumed_optimizer),
    ):
        before = outcome(call, module)
        bridge(module)
        found[name] = {"before": before, "after": outcome(call, module)}
    return found


def megatron_obstacles() -> dict:
    found = {
        "backend_string": across("verl.utils.distributed", backend_string),
        "float32_config": across("verl.workers.config.engine", float32_megatron),
        "engines": across("verl.workers.engine", registered_engines),
        "reference_model": in_a_group(across, "verl.workers.engine.fsdp.transformer_impl", reference_model),
        "rng": {"before": outcome(dropout_draws, importlib.import_module("megatron.core.tensor_parallel.random"))},
        "cuda_calls": {"before": cuda_calls(), "before_in_thread": cuda_calls_in_a_new_thread(None)},
    }
    engine = type("Engine", (torch_cuda.WithoutCuda,), {"name": "engine"})()
    found["cuda_calls"]["after_in_thread"] = cuda_calls_in_a_new_thread(engine)
    torch_cuda.stand_in()
    found["cuda_calls"] |= {"after": cuda_calls(), "is_available": torch.cuda.is_available()}

    from megatron.core import parallel_state

    with tempfile.NamedTemporaryFile() as store:
        torch.distributed.init_process_group("gloo", init_method=f"file://{store.name}", rank=0, world_size=1)
        parallel_state.initialize_model_parallel()
        random = across("megatron.core.tensor_parallel.random", dropout_draws)
        found["rng"] |= {"with_stand_ins_only": random["before"], "after": random["after"]}
        importlib.import_module("megatron.core.tensor_parallel.random").model_parallel_cuda_manual_seed(1)
        found |= {
            "swapped_model": across("verl.utils.fsdp_utils", swapped_model),
            "attention_mask": across("megatron.core.transformer.dot_product_attention", masked_attention),
            **restores(),
            "layer_spec": across("mbridge.core.llm_bridge", decoder_norm),
            "norm_names": across("mbridge.core.bridge", norm_names),
        }
        torch.distributed.destroy_process_group()
    return found


# ---------------------------------------------------------------------------------------------------- vLLM


def versions() -> list:
    return [outcome(importlib.metadata.version, name) for name in ("vllm", "torch", "no-such-package")]


def updated_linear(layer_utils) -> list:
    """Size of the weight after loading, and whether the layer follows an update of it."""
    layer = torch.nn.Linear(64, 64, bias=False, dtype=torch.bfloat16).requires_grad_(False)
    layer_utils.dispatch_cpu_unquantized_gemm(layer, remove_weight=True)
    size = layer.weight.numel()
    if size:
        layer.weight.copy_(torch.eye(64))
    x = torch.arange(64.0, dtype=torch.bfloat16).unsqueeze(0)
    return [size, torch.equal(layer.cpu_linear(x, layer.weight, None), x)]


def received_weights(transfer) -> list:
    """Values of a weight that the receiver's callback keeps, after sender and receiver have closed the segment."""
    import asyncio

    handle = f"ipc://{tempfile.mktemp(suffix='.sock')}"
    sender = transfer.BucketedWeightSender(handle, bucket_size_mb=1, use_shm=True)
    weights = [("a", torch.arange(3.0)), ("b", torch.ones(2, dtype=torch.bfloat16))]
    sending = threading.Thread(target=lambda: asyncio.run(sender.async_send_weights(iter(weights))), daemon=True)
    sending.start()
    kept = {}
    receiver = transfer.BucketedWeightReceiver(handle, device=torch.device("cpu"), use_shm=True)
    receiver.receive_weights(on_bucket_received=lambda bucket, is_last: kept.update(bucket))
    sending.join(timeout=10)
    return [weight.tolist() for weight in kept.values()]


def vllm_obstacles() -> dict:
    found = {"package_version": {"before": versions()}}
    vllm_bridges.answer_package_version(importlib.metadata)
    found["package_version"]["after"] = versions()
    return found | {
        "linear_weights": across("vllm.model_executor.layers.utils", updated_linear),
        "received_weights": across("verl.workers.rollout.vllm_rollout.bucketed_weight_transfer", received_weights),
    }


if __name__ == "__main__":
    PlatformRegistry.register(platform="cpu")(PlatformCPU)
    print(json.dumps({"megatron": megatron_obstacles, "vllm": vllm_obstacles}[sys.argv[1]]()))
