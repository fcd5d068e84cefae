"""The folder of a run: its attempts, and the run that owns it."""

import json
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from daro_verl.errors import DaroConfigError, problem
from daro_verl.resume import TRACKER
from daro_verl.toolkit.recipes.setting_rules import KEY, MEGATRON, ROLLOUT, VALIDATION

RUN, CHECKPOINTS, LATEST = "run.json", "checkpoints", TRACKER
TRANSFORMER = "transformer_config.json"  # a file of verl, beside the weights
RESHARDABLE = "dist_ckpt_optim_fully_reshardable=true and load_contents=[model,optimizer]"
RAY_JOBS = "working_dir_files"  # folder in which Ray unpacks what `ray job submit` sends
NUM_NAMED = 5
# A run goes on even if these differ: hardware, layout, engine, number of steps, intervals, what is watched. All other
# settings change what is learned.
FREE_GROUPS = (
    "trainer.", "ray_kwargs.", "global_profiler.", "transfer_queue.", f"{VALIDATION}.",
    *(f"{ROLLOUT}.{group}." for group in ("prometheus", "trace", "profiler", "checkpoint_engine")),
)  # fmt: skip
_RECOMPUTE = KEY["RECOMPUTE"].removesuffix("granularity")
FREE = (
    "recipe.output", "recipe.gpu_memory_gb", "algorithm.daro.metrics", f"{_RECOMPUTE}method", f"{_RECOMPUTE}num_layers",
    f"{MEGATRON}.override_transformer_config.attention_backend", "actor_rollout_ref.nccl_timeout", "reward.num_workers",
    "data.filter_overlong_prompts_workers", "data.dataloader_num_workers", f"{ROLLOUT}.agent.num_workers",
    *(f"{ROLLOUT}.{name}" for name in ("enforce_eager", "max_num_batched_tokens", "max_num_seqs",
                                       "enable_chunked_prefill", "enable_prefix_caching", "free_cache_engine")),
    *(KEY[name] for name in ("INFER_BACKEND", "VAL_FILES", "TP", "PP", "CP", "ROLLOUT_TP", "OFFLOAD", "BRIDGE",
                             "OFFLOAD_OPTIMIZER", "RECOMPUTE", "MAX_TOKENS", "ROLLOUT_MEMORY")),
)  # fmt: skip


def attempt_settings(output: Path) -> dict[str, str]:
    """Settings of this attempt's logs. Without them, verl's file logger overwrites the earlier attempt's metrics."""
    folder = output / "attempts"
    attempt = folder / f"{len(list(folder.glob('*.jsonl'))) + 1:04d}"
    variables = "ray_kwargs.ray_init.runtime_env.env_vars"  # they also reach the nodes of a cluster that the job joins
    return {
        f"++{variables}.VERL_FILE_LOGGER_PATH": str(attempt.with_suffix(".jsonl")),
        f"++{variables}.TENSORBOARD_DIR": str(output / "tensorboard"),
        "hydra.run.dir": str(attempt),
    }


def identity(config: DictConfig) -> dict[str, Any]:
    """The settings that identify a run, by key: all except the free ones.

    A setting that refers to another one (``${...}``) is compared by its reference, so it is free if the other one is.
    """
    settings = _flat("", OmegaConf.to_container(config, resolve=False))
    return {key: value for key, value in settings.items() if key not in FREE and not key.startswith(FREE_GROUPS)}


def _flat(prefix: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {prefix: value}
    return {
        key: item
        for name, inner in value.items()
        for key, item in _flat(f"{prefix}.{name}" if prefix else str(name), inner).items()
    }


def place_problems(config: DictConfig) -> list[str]:
    """Check that the folder outlives the job. ``ray job submit`` runs in a copy that Ray removes."""
    output, here = Path(config.recipe.output.strip()).expanduser(), Path.cwd()
    if output.is_absolute() or RAY_JOBS not in here.parts:
        return []
    fix = "set OUTPUT=/a/shared/disk/NAME in the submitted command, and use absolute paths of model and data"
    return [problem("OUTPUT", str(output), f"an absolute path, because Ray removes {here}", fix)]


def output_problems(config: DictConfig) -> list[str]:
    """Check ``recipe.output``: it can be written, holds no other run, and no checkpoint that this start ignores."""
    output = Path(config.recipe.output)
    above = next(folder for folder in (output, *output.parents) if folder.exists())
    if not above.is_dir():
        return [problem("OUTPUT", str(output), "a directory or a new one", f"rename {above}, which is a file")]
    latest, new, problems = output / CHECKPOINTS / LATEST, "choose another OUTPUT, or remove the old run", []
    if config.trainer.default_local_dir != str(output / CHECKPOINTS):
        got, fix = config.trainer.default_local_dir, "set OUTPUT instead of the key"
        problems.append(problem("trainer.default_local_dir", got, f"{output / CHECKPOINTS}", fix))
    if latest.exists() and config.trainer.resume_mode == "disable":
        # A later start with auto would go on from the old checkpoint, and not from this run's.
        got = f"disable over a checkpoint of step {latest.read_text().strip()} in {output}"
        fix = f"set trainer.resume_mode=auto, or {new}"
        problems.append(problem("trainer.resume_mode", got, "an OUTPUT without checkpoints", fix))
    if latest.exists() and config.trainer.resume_mode == "auto":
        problems += _resume_problems(config, output / CHECKPOINTS / f"global_step_{latest.read_text().strip()}")
    return problems + _other_run(output, identity(config), latest.exists(), new)


def _resume_problems(config: DictConfig, step: Path) -> list[str]:
    """Check that the job can load the checkpoint from which it would resume."""
    actor, megatron = step / "actor", config.actor_rollout_ref.actor.megatron
    contents = config.actor_rollout_ref.actor.checkpoint
    if (actor / "model").exists() and "optimizer" in contents.save_contents and not (actor / "optimizer").exists():
        got, fix = (
            f"{step} without its optimizer",
            "choose another OUTPUT: paper_table.sh removes the optimizer from finished runs",
        )
        return [problem("OUTPUT", got, "a whole checkpoint to resume from", fix)]
    try:
        saved = json.loads((actor / TRANSFORMER).read_text())
        there = saved["tensor_model_parallel_size"], saved["pipeline_model_parallel_size"]
    except (OSError, ValueError, KeyError):
        return []  # saved by another version of verl, or without `extra`: only a start can tell
    own = megatron.tensor_model_parallel_size, megatron.pipeline_model_parallel_size
    may_change = megatron.dist_ckpt_optim_fully_reshardable and "extra" not in contents.load_contents
    if own == there or may_change:
        return []
    expected = f"TP {there[0]}, PP {there[1]}, because no other layout can load the optimizer of {step}"
    fix = f"set TP={there[0]} PP={there[1]}; or, from the first start on, {RESHARDABLE} (docs/recipes/)"
    return [problem("TP, PP", f"TP {own[0]}, PP {own[1]}", expected, fix)]


def has_checkpoint(output: Path) -> bool:
    """Whether a start would resume."""
    return (output / CHECKPOINTS / LATEST).exists()


def _other_run(output: Path, own: dict[str, Any], has_checkpoint: bool, fix: str) -> list[str]:
    try:
        there = json.loads((output / RUN).read_text())
    except FileNotFoundError:
        if not has_checkpoint:
            return []
        return [problem("OUTPUT", f"checkpoints without {RUN} in {output}", "a run of a recipe", fix)]
    except ValueError:
        there = {}
    other = [key for key in {**own, **there} if there.get(key) != own.get(key)]
    if not other:
        return []
    holds, asked = _listed(there, other), _listed(own, other)
    return [problem("OUTPUT", f"{output} of a run with {holds}", f"one with {asked}", fix)]


def _listed(values: dict[str, Any], keys: list[str]) -> str:
    named = [f"{key} {values.get(key)}" for key in sorted(keys, key=lambda key: not key.startswith("recipe."))]
    return ", ".join(named[:NUM_NAMED]) + (f" and {len(named) - NUM_NAMED} more" if len(named) > NUM_NAMED else "")


def claim(config: DictConfig) -> None:
    """Make the folder, and record its run.

    Raises:
        DaroConfigError: the folder cannot be written.
    """
    output = Path(config.recipe.output)
    try:
        (output / "attempts").mkdir(parents=True, exist_ok=True)
        (output / RUN).write_text(json.dumps(identity(config), indent=1) + "\n")
    except OSError as error:
        fix = "choose a place where you can write"
        raise DaroConfigError("OUTPUT", got=str(error), expected="a directory to write to", fix=fix) from error
