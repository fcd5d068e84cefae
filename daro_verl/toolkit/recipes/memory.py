"""An estimate of the memory of a GPU: in training, and while its server generates. Not measured on a GPU.

``P``: parameters of a rank (of the largest pipeline stage). ``t``: tokens of a micro-batch. ``h``: hidden size. ``V``:
vocabulary. The bytes are

==============  ===========================================================================================
weights         2 P: bfloat16
gradients       4 P: Megatron's float32 buffer (verl sets ``grad_reduce_in_fp32``)
optimizer       12 P / (DP x CP): float32 weights and two moments, split over ranks (``use_distributed_optimizer``)
logits          10 t V / TP, on the last stage: in bfloat16 (2) and float32 (4), and softmax, which becomes the
                gradient (4)
activations     ``a`` = 10 h + 4 q + 4 k + 6 f for a token and layer, in bfloat16. ``q``, ``k``: size of all
                queries and keys (``q`` = h in most models). ``f``: size of
                the MLP. Kept are the inputs of norms and matrices, queries, keys and values, and the gate with
                its activation and product. The attention kernel keeps no scores. After Korthikanti et al., arXiv
                2205.05198, whose MLP has one matrix less. Without recomputation: t a per layer. With it: 2 t h
                per layer (its input), and t a once, for the layer at hand. All of it / TP (sequence parallel).
                The first stage of a pipeline keeps PP micro-batches, and has no logits
server          ``gpu_memory_utilization`` of the GPU: its weights, and what is left for the KV cache
other           8 GB: CUDA, NCCL, kernels' workspaces, fragments (a guess)
==============  ===========================================================================================

In training, the servers sleep. While they generate, weights, gradients and optimizer stay unless they are offloaded.
"""

from dataclasses import dataclass

from daro_verl.errors import problem
from daro_verl.toolkit.models.shape import Shape
from daro_verl.toolkit.recipes.setting_rules import KEY
from daro_verl.toolkit.recipes.sizes import Sizes

GB = 10**9
WEIGHT, GRADIENT, OPTIMIZER, LOGIT = 2, 4, 12, 10  # bytes, see above
OTHER = 8 * GB


@dataclass(frozen=True)
class Estimate:
    """Bytes of a GPU, by part. ``kv_tokens``: tokens that a server's KV cache holds."""

    training: dict[str, float]
    generation: dict[str, float]
    kv_tokens: int


def num_parameters(shape: Shape, tp: int = 1, pp: int = 1) -> float:
    """Parameters of a rank of the largest stage; by default, of the whole model. Norms and biases are left out."""
    head = shape.head_size
    keys = max(1.0, shape.num_kv_heads / tp) * tp  # repeated where there are more ranks than KV heads
    attention = 2 * shape.hidden_size * head * (shape.num_heads + keys)
    layer = attention + 3 * shape.hidden_size * shape.intermediate_size
    both = 2 if pp == 1 and not shape.tied else 1  # the first and the last stage hold one embedding each
    return (layer * shape.num_layers / pp + both * shape.vocab_size * shape.hidden_size) / tp


def estimate(job: Sizes, shape: Shape, gpu: float) -> Estimate:
    """The estimate for a GPU of ``gpu`` bytes."""
    parameters = num_parameters(shape, job.tp, job.pp)
    weights, gradients = WEIGHT * parameters, GRADIENT * parameters
    optimizer = OPTIMIZER * parameters / (max(1, job.dp) * job.cp)
    layers, layer = shape.num_layers / job.pp, activation_bytes(shape)
    kept, at_hand = (WEIGHT * shape.hidden_size * layers, layer) if job.recompute == "full" else (layer * layers, 0)
    tokens = job.micro_tokens / job.tp
    last = {"logits": LOGIT * tokens * shape.vocab_size, "activations": tokens * (kept + at_hand)}
    first = {"logits": 0.0, "activations": tokens * (kept * job.pp + at_hand)}
    stage = first if job.pp > 1 and sum(first.values()) > sum(last.values()) else last
    server = WEIGHT * num_parameters(shape, job.rollout_tp)
    cache = job.rollout_memory * gpu - server
    staying = {
        "weights": 0 if job.offload else weights,
        "gradients": 0 if job.offload else gradients,
        "optimizer": 0 if job.offload_optimizer else optimizer,
    }
    return Estimate(
        training={
            "weights": weights,
            "gradients": gradients,
            "optimizer": optimizer,
            **stage,
            "other": OTHER,
        },
        generation={**staying, "server's weights": server, "KV cache": cache, "other": OTHER},
        kv_tokens=max(0, int(cache // kv_bytes(shape, job.rollout_tp))),
    )


def activation_bytes(shape: Shape) -> int:
    """Bytes that a layer keeps of a token for its backward pass, in bfloat16."""
    queries, keys = shape.num_heads * shape.head_size, shape.num_kv_heads * shape.head_size
    return 10 * shape.hidden_size + 4 * queries + 4 * keys + 6 * shape.intermediate_size


def kv_bytes(shape: Shape, tp: int) -> float:
    """Bytes of one token on one rank of a server: key and value, in bfloat16."""
    return 2 * WEIGHT * shape.num_layers * max(1.0, shape.num_kv_heads / tp) * shape.head_size


def memory_problems(job: Sizes, found: Estimate, gpu: float) -> list[str]:
    """A problem if the estimate exceeds the GPU, or if a server cannot hold one sample."""
    better = "or raise recipe.gpu_memory_gb if you know better"
    fixes = {
        "training": f"raise TP or PP, lower {KEY['MAX_TOKENS']}, or set {KEY['RECOMPUTE']}=full; {better}",
        "generation": f"set {KEY['OFFLOAD']}=true, or lower {KEY['ROLLOUT_MEMORY']}; {better}",
    }
    problems = []
    for phase, parts in (("training", found.training), ("generation", found.generation)):
        if (size := sum(parts.values())) > gpu:
            got, expected = f"about {size / GB:.0f} GB (an estimate)", f"<= {gpu / GB:.0f} GB of recipe.gpu_memory_gb"
            problems.append(problem(f"memory in {phase}", got, expected, fixes[phase]))
    if found.kv_tokens < job.max_prompt + job.max_response:
        got, expected = (
            f"room for about {found.kv_tokens} tokens (an estimate)",
            f">= {job.max_prompt + job.max_response}",
        )
        fix = f"raise {KEY['ROLLOUT_MEMORY']} or {KEY['ROLLOUT_TP']}"
        problems.append(problem("a server's KV cache", got, expected, fix))
    return problems
