"""Check that a model fits a parallel layout, by the rules in the code of Megatron-core 0.16, vLLM 0.28 and verl 0.9.1.

======================================  ==========================================================================
rule                                    where
======================================  ==========================================================================
TP divides the heads                    ``TransformerConfig.__post_init__``; ``ModelConfig.verify_with_parallel_config``
TP divides the KV heads, or they TP     the same; ``LlamaAttention``, ``Qwen2Attention`` (KV heads are then repeated)
TP divides the MLP                      ``ColumnParallelLinear`` of both
TP divides the vocabulary in training   ``VocabUtility``; verl's mbridge does not pad
rollout TP divides it, padded to 64     ``VocabParallelEmbedding`` of vLLM
PP divides the layers                   ``get_num_layers_to_build``, unless the end stages are given their own numbers
prompt + response fit the positions     verl's ``vllm_async_server`` and ``_get_and_verify_max_len``
======================================  ==========================================================================
"""

from dataclasses import dataclass

from daro_verl.errors import problem
from daro_verl.toolkit.models.shape import Shape

VLLM_VOCABULARY = 64  # vLLM's DEFAULT_VOCAB_PADDING_SIZE


@dataclass(frozen=True)
class Layout:
    """Degrees of parallelism of a job, and its longest prompt and response in tokens."""

    tp: int = 1
    pp: int = 1
    rollout_tp: int = 1
    prompt: int = 0
    response: int = 0


@dataclass(frozen=True)
class LayoutCheck:
    """``errors``: the job would not start, or would train wrongly. ``remarks``: it runs, at a cost."""

    errors: list[str]
    remarks: list[str]


def check_layout(shape: Shape, layout: Layout) -> LayoutCheck:
    """Check all rules of the table above."""
    found = LayoutCheck([], [])
    _attention(found, shape, layout.tp, "--tp", "Megatron")
    _attention(found, shape, layout.rollout_tp, "--rollout-tp", "the rollout server")
    _vocabulary(found, shape, layout)
    _stages(found, shape, layout)
    _lengths(found, shape, layout)
    return found


def _attention(found: LayoutCheck, shape: Shape, tp: int, option: str, engine: str) -> None:
    sizes = [degree for degree in range(1, shape.num_heads + 1) if _divides(shape, degree)]
    fix = f"{option} {' or '.join(map(str, sizes))}"
    if shape.num_heads % tp:
        expected = f"a divisor of {shape.num_heads} attention heads"
        found.errors.append(problem(f"{option} ({engine})", tp, expected, fix))
    elif shape.num_kv_heads % tp and tp % shape.num_kv_heads:
        expected = f"a divisor or a multiple of {shape.num_kv_heads} KV heads"
        found.errors.append(problem(f"{option} ({engine})", tp, expected, fix))
    elif tp > shape.num_kv_heads:
        found.remarks.append(
            f"{option} {tp}: each of the {shape.num_kv_heads} KV heads is on {tp // shape.num_kv_heads} ranks"
        )
    for name, size in (("MLP size", shape.intermediate_size), ("hidden size", shape.hidden_size)):
        if size % tp:
            expected = f"a divisor of the {name} {size}"
            found.errors.append(problem(f"{option} ({engine})", tp, expected, fix))


def _divides(shape: Shape, degree: int) -> bool:
    kv = shape.num_kv_heads % degree == 0 or degree % shape.num_kv_heads == 0
    return kv and not (shape.num_heads % degree or shape.intermediate_size % degree or shape.hidden_size % degree)


def _vocabulary(found: LayoutCheck, shape: Shape, layout: Layout) -> None:
    if shape.vocab_size % layout.tp:
        padded = -(-shape.vocab_size // layout.tp) * layout.tp
        expected = f"a divisor of the vocabulary {shape.vocab_size}: verl's mbridge does not pad it"
        fix = f"choose another --tp, or a model whose embedding has {padded} rows"
        found.errors.append(problem("--tp (Megatron)", layout.tp, expected, fix))
    in_vllm = -(-shape.vocab_size // VLLM_VOCABULARY) * VLLM_VOCABULARY
    if in_vllm % layout.rollout_tp:
        expected = f"a divisor of {in_vllm}, the vocabulary padded to {VLLM_VOCABULARY}"
        fix = "choose another --rollout-tp; a power of two always divides it"
        found.errors.append(problem("--rollout-tp (vLLM)", layout.rollout_tp, expected, fix))


def _stages(found: LayoutCheck, shape: Shape, layout: Layout) -> None:
    if shape.num_layers % layout.pp:
        degrees = [degree for degree in range(1, shape.num_layers + 1) if shape.num_layers % degree == 0]
        fix = f"--pp {' or '.join(map(str, degrees))}, or override_transformer_config.num_layers_in_last_pipeline_stage"
        expected = f"a divisor of {shape.num_layers} layers"
        found.errors.append(problem("--pp (Megatron)", layout.pp, expected, fix))
    if shape.tied and layout.pp > 1:
        size = shape.vocab_size * shape.hidden_size / layout.tp / 1e6
        found.remarks.append(
            f"--pp {layout.pp} with tied embeddings: the first and the last stage each hold a copy ({size:.0f} million "
            "parameters a rank), and sum their gradients in every step. Such a small model rarely needs --pp"
        )


def _lengths(found: LayoutCheck, shape: Shape, layout: Layout) -> None:
    total = layout.prompt + layout.response
    limits = {
        "max_position_embeddings of config.json": shape.positions,
        "model_max_length of tokenizer_config.json (vLLM takes the smaller)": shape.tokenizer_limit,
        "sliding_window of config.json": shape.window,
    }
    for name, limit in limits.items():
        if limit is not None and total > limit:
            got = f"{layout.prompt} + {layout.response} = {total} tokens"
            fix = "run `daro models prepare` for Qwen2.5-Math, or use shorter prompts and responses"
            found.errors.append(problem("prompt + response", got, f"at most {limit}, the {name}", fix))
