"""The settings of a run's figures, kept beside them so that different settings never mix."""

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from daro_verl.atomic import write_atomically
from daro_verl.errors import DaroConfigError, DaroDataError, problem
from daro_verl.toolkit.evaluation.sample_seed import SEEDING

FILE = "settings.json"
ONE_COPY = "one_copy"  # written by a user into an earlier run that had one copy of the model
# Two runs are comparable if these agree: the problems and the sampling. The model may differ.
COMPARED = ("problems", "temperature", "top_p", "top_k", "response_tokens", "max_model_tokens")
# The engines' own arguments that may change when a run goes on: like parallel sizes, they only move work around.
WORK = frozenset(
    "max_num_seqs max_num_batched_tokens enforce_eager swap_space cpu_offload_gb gpu_memory_utilization "
    "tensor_parallel_size data_parallel_size disable_log_stats enable_prefix_caching enable_chunked_prefill "
    "max_running_requests chunked_prefill_size disable_cuda_graph cuda_graph_max_bs disable_radix_cache "
    "mem_fraction_static tp_size dp_size log_level".split()
)


@dataclass(frozen=True)
class Settings:
    """Everything that must be unchanged when an interrupted run goes on.

    Parallel sizes, memory shares and rows in flight are not part of it, because they only move work around.
    """

    model: str
    """Directory or hub snapshot of the Hugging Face weights."""
    weights: str
    """Digest of the weight files' names, sizes and times."""
    problems: str
    """Digest of the problems, see :func:`daro_verl.toolkit.evaluation.benchmark_file.digest`."""
    backend: str
    dtype: str
    temperature: float
    top_p: float
    top_k: int
    """-1 for all tokens."""
    response_tokens: int
    max_model_tokens: int
    """Prompt and response together; 0 for the model's limit."""
    seed: int
    limit: int
    """Problems of each benchmark; 0 for all."""
    seeding: str = SEEDING
    """How responses are drawn; empty in files from before each response had its own seed."""
    prompts: str = ""
    """Digest of the prompts' tokens: the tokenizer and its chat template; empty in earlier files."""
    engine_args: str = "{}"
    """The engine's own arguments as JSON, without those that only move work around (:data:`WORK`)."""


def open_folder(folder: Path, settings: Settings) -> None:
    """Make the folder of a run, or accept one with the same settings.

    Raises:
        DaroError: the folder has other settings, or files without settings.
    """
    path = folder / FILE
    if path.exists():
        before = read_settings(folder)
        if not before.prompts:  # of an earlier version, which did not record these two
            before = replace(before, prompts=settings.prompts, engine_args=settings.engine_args)
        if differences := describe_differences(before, settings):
            fix = "name another --out, or run with the settings with which the folder was begun"
            raise DaroConfigError.of(
                [problem(f"{folder}: {name}", got, repr(old), fix) for name, old, got in differences]
            )
        write_atomically(path, json.dumps(asdict(before), indent=2))
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        fix = "name another --out"
        raise DaroDataError(str(folder), got="files of another program", expected="a new folder or a run", fix=fix)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(asdict(settings), indent=2))


def read_settings(folder: Path) -> Settings:
    """Read the settings of a run's folder.

    Raises:
        DaroDataError: there are no settings, or they are of another version.
    """
    names = {field.name for field in fields(Settings)}
    earlier: dict[str, Any] = {"seeding": "", "prompts": "", "engine_args": "{}"}
    try:
        values: Any = json.loads((folder / FILE).read_bytes())
    except (OSError, ValueError) as error:
        fix = "name the --out of `daro evaluate`"
        raise DaroDataError(str(folder / FILE), got=f"{error}"[:200], expected="its settings", fix=fix) from error
    if isinstance(values, dict):
        values = earlier | values
    if not isinstance(values, dict) or set(values) != names:
        got = sorted(values) if isinstance(values, dict) else type(values).__name__
        fix = "evaluate again into another folder with this version"
        raise DaroDataError(str(folder / FILE), got=got, expected=f"{sorted(names)}", fix=fix)
    return Settings(**values)


def check_seeding(name: str, settings: Settings) -> None:
    """Refuse a run whose responses may not be independent.

    Raises:
        DaroDataError: the settings do not say that each response had its own seed. With several copies of the model
            (``--dp``), such a run holds the same responses more than once.
    """
    if settings.seeding not in (SEEDING, ONE_COPY):
        fix = (
            f"evaluate again into another folder; or, if the run had one copy of the model (DP=1), "
            f'write "seeding": "{ONE_COPY}" into its {FILE}'
        )
        expected = f"{SEEDING}, because without it the copies of a data-parallel engine gave equal responses"
        raise DaroDataError(f"seeding of {name}", got=settings.seeding, expected=expected, fix=fix)


def describe_differences(
    old: Settings, new: Settings, names: tuple[str, ...] | None = None
) -> list[tuple[str, Any, Any]]:
    """``(name, old value, new value)`` of each setting that differs, among all or among ``names``."""
    considered = names or tuple(field.name for field in fields(Settings))
    pairs = [(name, getattr(old, name), getattr(new, name)) for name in considered]
    return [(name, before, after) for name, before, after in pairs if before != after]
