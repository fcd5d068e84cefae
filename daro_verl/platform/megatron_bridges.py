"""Obstacles in Megatron-core 0.16.1, apart from its CUDA calls (:mod:`torch_cuda`), and in mbridge 0.15.1."""

from typing import Any

import wrapt

from daro_verl.errors import DaroConfigError

# A local layer has its norms beside its linear layers. Transformer Engine fuses each into the linear layer after it.
FUSED_NORM = {
    "input_layernorm.weight": "self_attention.linear_qkv.layer_norm_weight",
    "pre_mlp_layernorm.weight": "mlp.linear_fc1.layer_norm_weight",
}

# The parameters of llama3 scaling that Megatron-core fixes. The factor is an argument of its own.
FIXED_SCALING = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}


def keep_rng_states_of_the_cpu(random: Any) -> None:
    """Let Megatron's RNG tracker save and restore the CPU generator, from which dropout and initialisation draw.

    ``megatron.core.tensor_parallel.random`` takes the state from CUDA's own generators. Not needed once the tracker
    works without CUDA.
    """
    import torch

    random._get_cuda_rng_state = lambda *args, **kwargs: torch.get_rng_state()
    random._set_cuda_rng_state = lambda state, *args, **kwargs: torch.set_rng_state(state)


def leave_the_mask_to_attention(attention: Any) -> None:
    """Call local attention without a mask, so that it applies its own causal mask.

    verl 0.9.1 passes a padding mask ``[b, s]``. Transformer Engine ignores it for causal attention.
    ``DotProductAttention`` uses it, and expects ``[b, 1, s, s]``. No mask is needed, because sequences are padded on
    the right, and a causal mask hides the padding from all earlier tokens. Not needed once verl builds the mask that
    the layer expects.
    """

    def forward(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        query, key, value, _mask, *rest = args
        return wrapped(query, key, value, None, *rest, **kwargs)

    wrapt.wrap_function_wrapper(attention, "DotProductAttention.forward", forward)


def use_local_layers(llm_bridge: Any) -> None:
    """Build decoder layers without Transformer Engine, which needs CUDA.

    ``mbridge.core.llm_bridge`` fixes ``use_transformer_engine=True``. Covers the dense models that share this module
    (qwen2, qwen3, llama, ...). Not needed once mbridge offers the choice.
    """

    def local(get_spec: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        return get_spec(*args, **{**kwargs, "use_transformer_engine": False})

    # A wrapper and not a new function: mbridge looks at the signature.
    wrapt.wrap_function_wrapper(llm_bridge, "get_gpt_decoder_block_spec", local)


def name_separate_norms(bridge: Any) -> None:
    """Give the norms of local layers the Hugging Face names of the fused ones.

    ``Bridge`` knows the names of Transformer-Engine layers and raises ``NotImplementedError`` for others. Not needed
    once it knows both.
    """

    def with_fused_names(to_hf: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        (name,) = args
        for separate, fused in FUSED_NORM.items():
            if name.endswith("." + separate):
                name = name.removesuffix(separate) + fused
        return to_hf(name)

    wrapt.wrap_function_wrapper(bridge, "Bridge._weight_name_mapping_mcore_to_hf", with_fused_names)


def scale_rotary_embeddings(models: Any) -> None:
    """Train Llama 3.1 with its scaled rotary embeddings, computed by Megatron-core.

    ``LLaMABridge`` tests ``"rope_scaling" in hf_config``. With transformers 5 this is never true, and if it were, all
    frequencies would be scaled alike. Other bridges do not test it. Scaling that Megatron-core does not know is
    refused. Not needed once a bridged model's log-probabilities are those of transformers.
    """

    def with_scaling(arguments: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        return arguments(*args, **kwargs) | scaling_arguments(instance.hf_config)

    for bridge in [value for value in vars(models).values() if isinstance(value, type)]:
        if bridge.__module__ == models.__name__ and "_get_gptmodel_args" in vars(bridge):
            wrapt.wrap_function_wrapper(bridge, "_get_gptmodel_args", with_scaling)


def scaling_arguments(hf_config: Any) -> dict[str, Any]:
    """The arguments of Megatron-core's ``GPTModel`` for the model's scaling.

    Raises:
        DaroConfigError: Megatron-core has no such scaling.
    """
    scaling = getattr(hf_config, "rope_parameters", None) or {}
    kind = scaling.get("rope_type", "default")
    if kind == "default":
        return {}
    if kind != "llama3" or any(scaling.get(name) != value for name, value in FIXED_SCALING.items()):
        expected = f"none, or llama3 with {FIXED_SCALING}"
        raise DaroConfigError("rope_parameters", got=scaling, expected=expected, fix="train on a GPU, without mbridge")
    return {"rope_scaling": True, "rope_scaling_factor": scaling["factor"]}


def restore_float32_without_grad(distrib_optimizer: Any) -> None:
    """Load optimizer checkpoints of float32 models, and those that any TP and PP can load.

    ``DistributedOptimizer`` copies into its main parameters. For float32 these are views of the model's own, and torch
    refuses the copy while gradients are recorded. 16-bit models have separate main parameters.

    From a checkpoint with ``dist_ckpt_optim_fully_reshardable``, it passes no ``step``, which torch's Adam has in its
    state. The present step stays until :func:`resume_at_the_step_of_the_checkpoint` sets it. Not needed once Megatron
    copies under ``no_grad``, and only the values that it was given.
    """
    import torch

    def restore(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        model_param, tensors = args
        group, order = instance.model_param_group_index_map[model_param]
        state = instance.optimizer.state[instance.optimizer.param_groups[group]["params"][order]]
        step = {"step": state["step"]} if "step" in state else {}
        with torch.no_grad():
            return wrapped(model_param, {**step, **tensors}, **kwargs)

    wrapt.wrap_function_wrapper(distrib_optimizer, "DistributedOptimizer._set_main_param_and_optimizer_states", restore)


def start_a_fresh_optimizer_at_step_zero(distrib_optimizer: Any) -> None:
    """Load an optimizer checkpoint in a new process.

    Before it loads, ``DistributedOptimizer.state_dict`` reads the step from the inner optimizer's state. Without Apex
    and Transformer Engine, that optimizer is torch's Adam. It has no step until its first update, so an assertion
    fails. Not needed once Megatron initialises the step along with the moments.
    """
    import torch

    def state_dict(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        inner = instance.optimizer
        if not inner.state:
            for parameter in (p for group in inner.param_groups for p in group["params"]):
                inner.state[parameter] = {
                    "step": torch.tensor(0.0),
                    "exp_avg": torch.zeros_like(parameter.data),
                    "exp_avg_sq": torch.zeros_like(parameter.data),
                }
        return wrapped(*args, **kwargs)

    wrapt.wrap_function_wrapper(distrib_optimizer, "DistributedOptimizer.state_dict", state_dict)


def resume_at_the_step_of_the_checkpoint(distrib_optimizer: Any) -> None:
    """Give Adam the step of the checkpoint, a tensor of its own for each parameter.

    Without Apex and Transformer Engine, ``DistributedOptimizer.load_state_dict`` makes two mistakes. It shares one step
    tensor between all parameters, so torch's Adam adds to it once for each. Later it copies the step from before the
    load into that tensor. The parameter groups have the right step. Without this bridge, the bias correction of a
    resumed run is wrong. Not needed once a resumed step repeats the one that followed the checkpoint.
    """
    import torch

    def load_state_dict(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        wrapped(*args, **kwargs)
        for group in instance.optimizer.param_groups:
            for parameter in group["params"]:
                instance.optimizer.state[parameter]["step"] = torch.tensor(float(group["step"]))

    wrapt.wrap_function_wrapper(distrib_optimizer, "DistributedOptimizer.load_state_dict", load_state_dict)
