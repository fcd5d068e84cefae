"""Check the path of the weights: through a bridge into Megatron-core, and through a bucket to the servers."""

from omegaconf import DictConfig

from daro_verl.errors import problem
from daro_verl.toolkit.models.shape import Shape
from daro_verl.toolkit.recipes.setting_rules import KEY, ROLLOUT

BUCKET = f"{ROLLOUT}.checkpoint_engine.update_weights_bucket_megabytes"
BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}


def transfer_problems(config: DictConfig, shape: Shape, smoke: bool) -> list[str]:
    """A problem if a bridge would silently lose settings, or if a weight does not fit into a bucket.

    With transformers 5, mbridge 0.15.1 leaves out the scaling of rotary embeddings. Long texts would then have other
    positions in training than in generation. The platform of a smoke run repairs that. In a smoke run, weights go
    through shared memory, where no weight may be larger than a bucket. CUDA's IPC has no such limit.
    """
    actor, bucket = config.actor_rollout_ref.actor.megatron, _bucket(config)
    scaled, largest = shape.rope_scaling != "default", largest_weight(shape, BYTES.get(actor.dtype, 4))
    needed = -(-largest // 2**20)
    rows = [
        (actor.vanilla_mbridge and scaled and not smoke, KEY["BRIDGE"], True,
         f"false for a model with {shape.rope_scaling} rotary embeddings, because mbridge leaves out their scaling",
         f"set {KEY['BRIDGE']}=false to use Megatron-Bridge, which has it"),
        (smoke and largest > bucket * 2**20, BUCKET, bucket,
         f"at least {needed}, the MB of the embedding: {shape.vocab_size} x {shape.hidden_size} in {actor.dtype}",
         f"set {BUCKET}={needed}"),
    ]  # fmt: skip
    return [problem(key, got, expected, fix) for wrong, key, got, expected, fix in rows if wrong]


def largest_weight(shape: Shape, width: int) -> int:
    """Bytes of the larger of the embedding and an MLP's matrix, with ``width`` bytes per number."""
    return max(shape.vocab_size, shape.intermediate_size) * shape.hidden_size * width


def _bucket(config: DictConfig) -> int:
    return int(config.actor_rollout_ref.rollout.checkpoint_engine.update_weights_bucket_megabytes)
