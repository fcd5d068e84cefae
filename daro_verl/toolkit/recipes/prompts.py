"""Check the lengths of the validation prompts. verl would leave out long ones, and score a smaller benchmark."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from daro_verl.errors import problem
from daro_verl.toolkit.recipes.files import VALIDATION
from daro_verl.toolkit.recipes.setting_rules import KEY

NUM_NAMED = 3


def long_prompts(config: DictConfig) -> list[str]:
    """A problem for each validation file with prompts of more than ``data.max_prompt_length`` tokens.

    :mod:`daro_verl.toolkit.recipes.files` reports missing or unreadable files. Tokens are counted as in verl 0.9.1
    (``RLHFDataset.maybe_filter_out_long_prompts``): the model's chat template with its generation prompt.
    """
    longest, problems = config.data.max_prompt_length, []
    tokenizer = _tokenizer(Path(config.actor_rollout_ref.model.path))
    for file in map(Path, config.data.val_files if tokenizer else []):
        rows = list(_rows(file))
        try:
            lengths = [(_length(tokenizer, messages), source, number) for number, (source, messages) in enumerate(rows)]
        except Exception as error:  # a template may raise anything
            got, expected = f"{file}: {type(error).__name__}: {error}"[:200], "prompts that the chat template renders"
            problems.append(problem(VALIDATION, got, expected, "write it again with `daro data`"))
            continue
        if over := [item for item in lengths if item[0] > longest]:
            named = ", ".join(
                f"row {number} of {source}: {length} tokens" for length, source, number in over[:NUM_NAMED]
            )
            got = f"{file} with {len(over)} of {len(rows)} prompts that are longer ({named})"
            key, expected = KEY["MAX_PROMPT"], f"prompts of at most {longest} tokens, {KEY['MAX_PROMPT']}"
            fix = f"set {key}={max(over)[0]} or more; else verl leaves them out of its validation without a warning"
            problems.append(problem(VALIDATION, got, expected, fix))
    return problems


def _tokenizer(model: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model) if model.is_dir() else None
    except (OSError, ValueError, KeyError, TypeError, ImportError):
        return None
    return tokenizer if tokenizer is not None and tokenizer.chat_template else None


def _rows(file: Path) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Source and messages of each row."""
    import pyarrow.parquet as parquet
    from pyarrow import ArrowException

    try:
        for row in parquet.read_table(file, columns=["data_source", "prompt"]).to_pylist():
            yield row["data_source"], row["prompt"]
    except (ArrowException, OSError, KeyError):
        return


def _length(tokenizer: Any, messages: list[dict[str, str]]) -> int:
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])
