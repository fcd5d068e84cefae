"""``smollm2``: SmolLM2-135M-Instruct, a pretrained language model, on arithmetic and word problems."""

from pathlib import Path

from daro_verl.platform.processor import fast_dtype
from daro_verl.toolkit.models.smollm2 import PLACE, write_smollm2
from examples.quickstart.smollm2.task import NUM_TEST, SOURCES, build_data
from examples.quickstart.task import GROUP_SIZE, Start, Task

SMOKE_TEST = 8
MODEL = Path(__file__).resolve().parents[3] / PLACE


def prepare(output: Path, smoke: bool) -> Start:
    """Prepare data, and the model from its package. Both methods and every output directory share the model."""
    data = build_data(output / "data", num_test=SMOKE_TEST if smoke else NUM_TEST)
    model = write_smollm2(MODEL)
    return Start(model, data, [f"SmolLM2-135M-Instruct in {model}; levels: {', '.join(SOURCES)}"])


TASK = Task(
    prepare=prepare,
    sources=SOURCES,
    reward=Path(__file__).with_name("reward.py"),
    steps=10,
    save_freq=5,
    max_prompt_length=96,
    max_response_length=48,
    batch_size=12,
    micro_batch=8,  # one group, padded to its longest response
    learning_rate=1.5e-5,  # at four times this rate, the gap in length is gone after ten steps
    num_devices=1,
    tensor_parallel=1,
    dtype=fast_dtype(),
    settings=(
        # One tensor of the model has 113 MB in float32; verl sends a tensor whole.
        "actor_rollout_ref.rollout.checkpoint_engine.update_weights_bucket_megabytes=128",
        # As many responses as in training, so that the held-out problems fill the same bins.
        f"actor_rollout_ref.rollout.val_kwargs.n={GROUP_SIZE}",
        # One optimizer step per batch, so the servers' own log-probabilities are the old ones.
        "actor_rollout_ref.rollout.calculate_log_probs=True",
        "algorithm.rollout_correction.bypass_mode=True",
    ),
)
