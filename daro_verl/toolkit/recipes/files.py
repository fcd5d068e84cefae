"""Find the model and the data of a job. A dry run needs neither, a real run needs both."""

from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import DictConfig

from daro_verl.errors import DaroError, problem
from daro_verl.toolkit.models.origin import weight_files
from daro_verl.toolkit.models.shape import Shape, read_shape
from daro_verl.toolkit.models.tokenizer import check_tokenizer
from daro_verl.toolkit.recipes.setting_rules import KEY

COLUMNS = ("data_source", "prompt", "reward_model")
OWN_ROLLOUTS = "__rollout_n__"
MODEL, TRAIN, VALIDATION = (KEY[name] for name in ("MODEL", "TRAIN_FILES", "VAL_FILES"))
GATED = ("meta-llama/Llama-3.1-8B",)
_AGAIN = "write it again with `daro data`"


@dataclass
class Found:
    """``missing``: absent files, which only a real run needs. ``problems``: files that exist but are wrong."""

    shape: Shape
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_files(config: DictConfig) -> Found:
    """Read the model, the training files and the validation files, as far as they exist."""
    batch = config.data.train_batch_size
    found = Found(Shape(**config.recipe.published))
    _model(found, Path(config.actor_rollout_ref.model.path), config.recipe.source)
    rows = sum(_data(found, TRAIN, Path(file)) for file in config.data.train_files)
    for file in config.data.val_files:
        _data(found, VALIDATION, Path(file))
    if 0 < rows < batch:
        fix = f"set {KEY['BATCH']}={rows} or less, or build more data"
        found.problems.append(problem(KEY["BATCH"], batch, f"at most the {rows} rows of {TRAIN}", fix))
    return found


def _model(found: Found, directory: Path, source: str) -> None:
    if not directory.exists():
        login = " (a gated model: accept its licence on the hub, then `hf auth login`)" if source in GATED else ""
        fix = f"daro models prepare {source} {directory}{login}"
        found.missing.append(problem(MODEL, str(directory), "a model's directory", fix))
        found.notes.append(f"{directory} is not here: sizes are the published ones of {source}, from a table")
        return
    try:
        weight_files(directory)
        shape = read_shape(directory)
    except DaroError as error:
        found.problems.append(f"{MODEL}: {error}")
        return
    verdict = check_tokenizer(directory, shape.vocab_size, shape.eos_ids)
    found.problems += [f"{MODEL}: {error}" for error in verdict.errors]
    found.notes += [f"{MODEL}: {remark}" for remark in verdict.remarks]
    found.shape = shape


def _data(found: Found, key: str, file: Path) -> int:
    """The number of rows of a file; 0 if it is unknown."""
    import pyarrow.parquet as parquet
    from pyarrow import ArrowException

    if not file.exists():
        found.missing.append(problem(key, str(file), "a parquet file", "write it with `daro data`, see docs/recipes/"))
        found.notes.append(f"{key}: {file} is not here")
        return 0
    try:
        metadata = parquet.read_metadata(file)
    except (ArrowException, OSError) as error:
        found.problems.append(problem(key, f"{file}: {error}"[:200], "a parquet file", _AGAIN))
        return 0
    found.problems += _schema_problems(key, file, metadata.schema.to_arrow_schema().names)
    if not metadata.num_rows:
        found.problems.append(problem(key, f"{file} without rows", "at least one row", _AGAIN))
    return int(metadata.num_rows)


def _schema_problems(key: str, file: Path, columns: list[str]) -> list[str]:
    absent = [name for name in COLUMNS if name not in columns]
    has_rollouts = OWN_ROLLOUTS in columns
    rows = [
        (absent, f"{file} without {', '.join(absent)}", f"columns {', '.join(COLUMNS)}", "write it with `daro data`"),
        (key == TRAIN and has_rollouts, f"{file} with {OWN_ROLLOUTS}", f"rows that take {KEY['ROLLOUTS']} responses",
         f"name a training file; this file is for {VALIDATION}"),
        (key == VALIDATION and not has_rollouts, f"{file} without {OWN_ROLLOUTS}",
         "the number of responses in each row: 32 for AIME and AMC, 1 elsewhere",
         "write it with `daro data test`, or add that column"),
    ]  # fmt: skip
    return [problem(key, got, expected, fix) for wrong, got, expected, fix in rows if wrong]
