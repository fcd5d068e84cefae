"""Model and data of a job, as far as they are here: a dry run needs neither, a real run both."""

from dataclasses import dataclass, field
from pathlib import Path

from daro_verl.errors import DaroError, got_expected_fix
from daro_verl.toolkit.models.origin import weight_files
from daro_verl.toolkit.models.shape import Shape, read_shape
from daro_verl.toolkit.models.tokenizer import check_tokenizer
from daro_verl.toolkit.recipes.knobs import RECIPE, Values
from daro_verl.toolkit.recipes.shapes import PUBLISHED, SOURCES

COLUMNS = ("data_source", "prompt", "reward_model")
OWN_ROLLOUTS = "__rollout_n__"


@dataclass
class Found:
    """``missing``: what a real run cannot do without. ``problems``: what is there and wrong."""

    shape: Shape
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def look(values: Values) -> Found:
    """At ``MODEL``, ``TRAIN_FILES`` and ``VAL_FILES``."""
    found = Found(PUBLISHED[values[RECIPE]])
    _model(found, Path(values["MODEL"]), values[RECIPE])
    rows = sum(_data(found, "TRAIN_FILES", Path(file)) for file in values["TRAIN_FILES"])
    for file in values["VAL_FILES"]:
        _data(found, "VAL_FILES", Path(file))
    if 0 < rows < values["BATCH"]:
        fix = f"set BATCH={rows} or less, or build more data"
        problem = got_expected_fix("BATCH", values["BATCH"], f"at most the {rows} rows of TRAIN_FILES", fix)
        found.problems.append(problem)
    return found


def _model(found: Found, directory: Path, recipe: str) -> None:
    if not directory.exists():
        fix = f"python -m daro_verl.toolkit.models prepare {SOURCES[recipe]} {directory}"
        found.missing.append(got_expected_fix("MODEL", str(directory), "a model's directory", fix))
        found.notes.append(f"MODEL is not here: sizes are the published ones of {recipe}, from a table")
        return
    try:
        weight_files(directory)
        shape = read_shape(directory)
    except DaroError as error:
        found.problems.append(f"MODEL: {error}")
        return
    verdict = check_tokenizer(directory, shape.vocab_size, shape.eos_ids)
    found.problems += [f"MODEL: {error}" for error in verdict.errors]
    found.notes += [f"MODEL: {remark}" for remark in verdict.remarks]
    found.shape = shape


def _data(found: Found, knob: str, file: Path) -> int:
    """Its rows; 0 if that cannot be told."""
    import pyarrow.parquet as parquet
    from pyarrow import ArrowException

    if not file.exists():
        fix = "write it with `python -m daro_verl.toolkit.data`, see docs/recipes/"
        found.missing.append(got_expected_fix(knob, str(file), "a parquet file", fix))
        found.notes.append(f"{knob}: {file} is not here")
        return 0
    try:
        metadata = parquet.read_metadata(file)
    except (ArrowException, OSError) as error:
        got, fix = f"{file}: {error}"[:200], "write it again with `python -m daro_verl.toolkit.data`"
        found.problems.append(got_expected_fix(knob, got, "a parquet file", fix))
        return 0
    columns = metadata.schema.to_arrow_schema().names
    if absent := [name for name in COLUMNS if name not in columns]:
        got, fix = f"{file} without {', '.join(absent)}", "write it with `python -m daro_verl.toolkit.data`"
        found.problems.append(got_expected_fix(knob, got, f"columns {', '.join(COLUMNS)}", fix))
    if knob == "TRAIN_FILES" and OWN_ROLLOUTS in columns:
        got, fix = f"{file} with {OWN_ROLLOUTS}", "name a training file; this one is for VAL_FILES"
        found.problems.append(got_expected_fix(knob, got, "rows that take ROLLOUTS responses", fix))
    if knob == "VAL_FILES" and OWN_ROLLOUTS not in columns:
        got, fix = (
            f"{file} without {OWN_ROLLOUTS}",
            "write it with `python -m daro_verl.toolkit.data test`, or add that column",
        )
        expected = "the number of responses in each row: 32 for AIME and AMC, 1 elsewhere"
        found.problems.append(got_expected_fix(knob, got, expected, fix))
    if not metadata.num_rows:
        got, fix = f"{file} without rows", "write it again with `python -m daro_verl.toolkit.data`"
        found.problems.append(got_expected_fix(knob, got, "at least one row", fix))
    return int(metadata.num_rows)
