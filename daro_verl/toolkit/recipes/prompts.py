"""Validation prompts against ``MAX_PROMPT``: verl would leave out the longer ones, and score a smaller benchmark."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.recipes.knobs import Values

NUM_NAMED = 3


def long_prompts(values: Values, longest: int) -> list[str]:
    """A problem for each of ``VAL_FILES`` with prompts of more than ``longest`` tokens; empty where the files or
    ``MODEL`` are not here or unreadable, which :mod:`daro_verl.toolkit.recipes.files` says.

    Tokens are counted as verl 0.9.1 counts them (``RLHFDataset.maybe_filter_out_long_prompts``): the model's chat
    template with its generation prompt.
    """
    tokenizer = _tokenizer(Path(values["MODEL"]))
    problems = []
    for file in map(Path, values["VAL_FILES"] if tokenizer else []):
        rows = list(_rows(file))
        try:
            lengths = [(_length(tokenizer, messages), source, number) for number, (source, messages) in enumerate(rows)]
        except Exception as error:  # a template may raise anything
            got, fix = (
                f"{file}: {type(error).__name__}: {error}"[:200],
                "write it again with `python -m daro_verl.toolkit.data`",
            )
            problems.append(got_expected_fix("VAL_FILES", got, "prompts that MODEL's chat template renders", fix))
            continue
        if over := [item for item in lengths if item[0] > longest]:
            named = ", ".join(
                f"row {number} of {source}: {length} tokens" for length, source, number in over[:NUM_NAMED]
            )
            got = f"{file} with {len(over)} of {len(rows)} prompts that are longer ({named})"
            fix = f"set MAX_PROMPT={max(over)[0]} or more; verl would leave them out of its validation without a word"
            problems.append(
                got_expected_fix("VAL_FILES", got, f"prompts of at most MAX_PROMPT = {longest} tokens", fix)
            )
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
