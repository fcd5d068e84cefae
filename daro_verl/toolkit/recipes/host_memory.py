"""An estimate of the machine's memory in a run without a GPU, where ranks and servers share it.

``P``: parameters of a rank. ``t``: tokens of a micro-batch. ``s``: tokens of the longest sample. ``L``: layers. ``w``:
bytes of a number. The bytes of a rank are

==============  ==============================================================================
weights         w P
gradients       4 P
optimizer       12 P / (DP x CP)
logits          32 t V / TP: eight float32 copies, fitted to the measurement below
activations     w t a L / TP, with ``a`` numbers of a token and layer as in ``memory.py``
scores          2 w t s heads L / TP: attention keeps them before and after the softmax
process         2 GB: Python, PyTorch, Megatron (a guess)
==============  ==============================================================================

A server takes its weights and a process. Ray and verl's helpers take 3 GB (a guess). Measured once: two ranks of a
model of 135 million parameters in float32, with 1,536 tokens, took 8.3 GB each.
"""

from daro_verl.errors import problem
from daro_verl.toolkit.models.shape import Shape
from daro_verl.toolkit.recipes.memory import GB, GRADIENT, OPTIMIZER, WEIGHT, activation_bytes, num_parameters
from daro_verl.toolkit.recipes.setting_rules import KEY
from daro_verl.toolkit.recipes.sizes import Sizes

LOGIT, PROCESS, HELPERS = 32, 2 * GB, 3 * GB
RAY_STOPS_AT = 0.95  # of the memory: with more in use, Ray ends a worker


def rank_bytes(job: Sizes, shape: Shape, width: int) -> float:
    """Bytes of a training rank. ``width``: bytes of a number, 2 for bfloat16 and 4 for float32."""
    parameters = num_parameters(shape, job.tp, job.pp)
    layers, sample = shape.num_layers / job.pp, job.max_prompt + job.max_response
    numbers = activation_bytes(shape) / WEIGHT + 2 * sample * shape.num_heads
    of_a_token = width * numbers * layers + LOGIT * shape.vocab_size
    optimizer = OPTIMIZER / (max(1, job.dp) * job.cp)
    return (width + GRADIENT + optimizer) * parameters + job.micro_tokens * of_a_token / job.tp + PROCESS


def host_bytes(job: Sizes, shape: Shape, width: int, server_width: int) -> float:
    """Bytes of all ranks, servers and helpers of a machine."""
    server = server_width * num_parameters(shape, job.rollout_tp) + PROCESS
    return job.gpus * (rank_bytes(job, shape, width) + server) + HELPERS


def host_memory_problems(needed: float, memory: float | None = None) -> list[str]:
    """Check that ``needed`` bytes fit. ``memory``: bytes of the machine, by default this one's."""
    room = RAY_STOPS_AT * (_memory() if memory is None else memory)
    if needed <= room:
        return []
    got, expected = f"about {needed / GB:.0f} GB (an estimate)", f"<= {room / GB:.0f} GB, 95 % of this machine's"
    return [problem("memory of the machine", got, expected, f"lower {KEY['MAX_TOKENS']}, or set GPUS=1 TP=1")]


def _memory() -> float:
    """Bytes that Ray takes for the machine's: those of the container, if it has a limit."""
    from ray._common.utils import get_system_memory

    return float(get_system_memory())
