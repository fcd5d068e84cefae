"""An estimate of the memory of a GPU: in training, and while its server generates. Not measured on a GPU.

With ``P`` the parameters of a rank (of the largest pipeline stage), ``t`` the tokens of a micro-batch, bytes are

==============  ===========================================================================================
weights         2 P: bfloat16
gradients       4 P: Megatron's float32 buffer (verl sets ``grad_reduce_in_fp32``)
optimizer       12 P / (DP x CP): float32 weights and two moments, shared out (``use_distributed_optimizer``)
logits          10 t V / TP, of the last stage: in bfloat16 (2) and float32 (4), and softmax, which becomes the
                gradient (4)
activations     with recomputation: 2 t h per layer (its input), and 34 t h once, for the layer at hand; all / TP
                (sequence parallel). Without: 34 t h per layer / TP. 34: Korthikanti et al., arXiv 2205.05198,
                with an attention kernel that keeps no scores
server          ``gpu_memory_utilization`` of the GPU: its weights, and what is left for the KV cache
other           3 GB: CUDA, NCCL, kernels (a guess)
==============  ===========================================================================================

In training the servers sleep. While they generate, weights, gradients and optimizer stay unless they are offloaded.
"""

from dataclasses import dataclass

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.models.shape import Shape
from daro_verl.toolkit.recipes.job import Job

GB = 10**9
WEIGHT, GRADIENT, OPTIMIZER, LOGIT, ACTIVATION = 2, 4, 12, 10, 34  # bytes, see above
OTHER = 3 * GB


@dataclass(frozen=True)
class Estimate:
    """Bytes of a GPU, by part. ``kv_tokens``: tokens that a server's KV cache holds."""

    training: dict[str, float]
    generation: dict[str, float]
    kv_tokens: int


def num_parameters(shape: Shape, tp: int = 1, pp: int = 1) -> float:
    """Of a rank of the largest stage, and with the defaults of the whole model. Norms and biases are left out."""
    head = shape.hidden_size // shape.num_heads
    keys = max(1.0, shape.num_kv_heads / tp) * tp  # repeated where there are more ranks than KV heads
    attention = 2 * shape.hidden_size * head * (shape.num_heads + keys)
    layer = attention + 3 * shape.hidden_size * shape.intermediate_size
    both = 2 if pp == 1 and not shape.tied else 1  # the first and the last stage hold one embedding each
    return (layer * shape.num_layers / pp + both * shape.vocab_size * shape.hidden_size) / tp


def estimate(job: Job, shape: Shape, gpu: float) -> Estimate:
    """For a GPU of ``gpu`` bytes."""
    parameters = num_parameters(shape, job.tp, job.pp)
    weights, gradients = WEIGHT * parameters, GRADIENT * parameters
    optimizer = OPTIMIZER * parameters / (max(1, job.dp) * job.cp)
    layers, width = shape.num_layers / job.pp, job.max_tokens * shape.hidden_size / job.tp
    activations = width * (WEIGHT * layers + ACTIVATION if job.recompute else ACTIVATION * layers)
    server = WEIGHT * num_parameters(shape, job.rollout_tp)
    cache = job.rollout_memory * gpu - server
    kept = {
        "weights": 0 if job.offload_weights else weights,
        "gradients": 0 if job.offload_weights else gradients,
        "optimizer": 0 if job.offload_optimizer else optimizer,
    }
    return Estimate(
        training={
            "weights": weights,
            "gradients": gradients,
            "optimizer": optimizer,
            "logits": LOGIT * job.max_tokens * shape.vocab_size / job.tp,
            "activations": activations,
            "other": OTHER,
        },
        generation={**kept, "server's weights": server, "KV cache": cache, "other": OTHER},
        kv_tokens=max(0, int(cache // kv_bytes(shape, job.rollout_tp))),
    )


def kv_bytes(shape: Shape, tp: int) -> float:
    """Of one token on one rank of a server: key and value, bfloat16."""
    head = shape.hidden_size // shape.num_heads
    return 2 * WEIGHT * shape.num_layers * max(1.0, shape.num_kv_heads / tp) * head


def memory_problems(job: Job, found: Estimate, gpu: float) -> list[str]:
    """Where the estimate exceeds the GPU, or a server cannot hold one sample."""
    size, problems = f"{gpu / GB:.0f} GB of GPU_MEMORY_GB", []
    if (training := sum(found.training.values())) > gpu:
        fix = "raise TP or PP, lower MAX_TOKENS, RECOMPUTE=full; or raise GPU_MEMORY_GB if you know better"
        got = f"about {training / GB:.0f} GB (an estimate)"
        problems.append(got_expected_fix("TP, PP, MAX_TOKENS, RECOMPUTE: memory in training", got, f"<= {size}", fix))
    if (generation := sum(found.generation.values())) > gpu:
        fix = "set OFFLOAD=1, or lower ROLLOUT_MEMORY; or raise GPU_MEMORY_GB if you know better"
        got = f"about {generation / GB:.0f} GB (an estimate)"
        problems.append(got_expected_fix("OFFLOAD, ROLLOUT_MEMORY: memory in generation", got, f"<= {size}", fix))
    if found.kv_tokens < job.prompt + job.response:
        got, expected = f"room for about {found.kv_tokens} tokens (an estimate)", f">= {job.prompt + job.response}"
        fix = "raise ROLLOUT_MEMORY or ROLLOUT_TP"
        problems.append(got_expected_fix("ROLLOUT_MEMORY, ROLLOUT_TP: a server's KV cache", got, expected, fix))
    return problems
