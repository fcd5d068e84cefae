"""``tiny``: sums in bytes, for a model of 1.4 million parameters. It is made and warm-started here."""

from pathlib import Path

from examples.quickstart.sums.task import MAX_RESPONSE_LENGTH, NUM_TEST, SOURCE_OF_LEVEL, build_data
from examples.quickstart.task import GROUP_SIZE, Start, Task

SMOKE_STEPS, SMOKE_TEST, SMOKE_MEASURED = 120, 16, 8


def prepare(output: Path, smoke: bool) -> Start:
    """Prepare data and a warm-started model. At its end, the warm start measures the model's pass rates."""
    from examples.quickstart.sums.warm_start import STEPS, warm_start

    data = build_data(output / "data", num_test=SMOKE_TEST if smoke else NUM_TEST)
    report = warm_start(output / "model", *((SMOKE_STEPS, SMOKE_MEASURED) if smoke else (STEPS, 200)))
    levels = ", ".join(f"level {level} {rate:.2f}" for level, rate in report["pass_rate_of_level"].items())
    lines = [
        f"{report['parameters']} parameters, pass rate {report['pass_rate']:.2f} ({levels})",
        f"prompts with 0..{GROUP_SIZE} of {GROUP_SIZE} right: {report['num_prompts_of_bin']}",
        f"mean length of right and wrong responses: {report['length_right']}, {report['length_wrong']}",
    ]
    return Start(output / "model", data, lines)


TASK = Task(
    prepare=prepare,
    sources={f"level {level}": source for level, source in SOURCE_OF_LEVEL.items()},
    reward=Path(__file__).with_name("reward.py"),
    steps=60,
    save_freq=10,
    max_prompt_length=16,  # six digits, five "+", "=" and the three tokens of the chat template
    max_response_length=MAX_RESPONSE_LENGTH,
    batch_size=16,
    micro_batch=16 * GROUP_SIZE,
    learning_rate=1e-4,
    num_devices=2,
    tensor_parallel=2,
    dtype="bfloat16",
)
