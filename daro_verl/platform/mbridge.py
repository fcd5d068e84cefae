"""Obstacles in mbridge, which builds models of Transformer-Engine layers only."""

from types import ModuleType

import wrapt

# A local layer has its norms beside its linear layers; Transformer Engine fuses each into the linear layer after it.
FUSED_NORM = {
    "input_layernorm.weight": "self_attention.linear_qkv.layer_norm_weight",
    "pre_mlp_layernorm.weight": "mlp.linear_fc1.layer_norm_weight",
}


def use_local_layers(llm_bridge: ModuleType) -> None:
    """Build decoder layers without Transformer Engine, which needs CUDA.

    ``mbridge.core.llm_bridge`` (mbridge 0.15.1) fixes ``use_transformer_engine=True``. Covers the dense models that
    share this module (qwen2, qwen3, llama, ...). Not needed once mbridge offers the choice.
    """

    def local(get_spec, instance, args, kwargs):
        return get_spec(*args, **{**kwargs, "use_transformer_engine": False})

    # A wrapper and not a new function: mbridge looks at the signature.
    wrapt.wrap_function_wrapper(llm_bridge, "get_gpt_decoder_block_spec", local)


def name_separate_norms(bridge: ModuleType) -> None:
    """Give the norms of local layers the Hugging Face names of the fused ones.

    ``Bridge`` (mbridge 0.15.1) knows the names of Transformer-Engine layers and raises ``NotImplementedError`` for
    others. Not needed once it knows both.
    """

    def with_fused_names(to_hf, instance, args, kwargs):
        (name,) = args
        for separate, fused in FUSED_NORM.items():
            if name.endswith("." + separate):
                name = name.removesuffix(separate) + fused
        return to_hf(name)

    wrapt.wrap_function_wrapper(bridge, "Bridge._weight_name_mapping_mcore_to_hf", with_fused_names)
