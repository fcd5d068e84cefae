"""What each method of the paper sets in verl, beside its weighting.

All of them run through DARO's estimator, whose losses and gradients equal those of verl's own methods
(``docs/weightings.md``), so that all log the same figures. Common to all: ``algorithm.adv_estimator=daro``, token mean,
no KL term, no critic.

========== =====================================================================================================
method     source of its settings
========== =====================================================================================================
daro       arXiv 2510.09001; its clip values are not known, so GRPO's; options of the weights are the package's defaults
daro_paper the same with the options that the paper's literal form has (``algorithm.daro.weighting=paper``)
grpo       arXiv 2402.03300 with verl's token mean; no KL term, as in the paper's family
dapo       arXiv 2503.14476: clip-higher, dynamic sampling on accuracy, overlong penalty; dual clip 10 as its scripts
dr_grpo    arXiv 2503.20783: no division by the standard deviation, a constant in place of the number of tokens
lipo       Lite PPO, arXiv 2508.08221: mean of the prompt, standard deviation of the batch, token mean
========== =====================================================================================================
"""

from dataclasses import dataclass, field
from typing import Any

CLIP_KEYS = tuple(f"actor_rollout_ref.actor.clip_ratio_{end}" for end in ("low", "high", "c"))


@dataclass(frozen=True)
class Method:
    """``weighting``: None leaves the package's default. ``clip``: low, high, dual. ``settings``: more keys of verl."""

    weighting: str | None
    clip: tuple[float, float, float] = (0.2, 0.2, 3.0)
    settings: dict[str, Any] = field(default_factory=dict)
    overlong: bool = False


_DYNAMIC_SAMPLING = {
    "algorithm.filter_groups.enable": True,
    # The default, reward, is the score minus the overlong penalty: prompts that are all right would seem to differ.
    "algorithm.filter_groups.metric": "acc",
}
_OVERLONG = {
    "reward.reward_manager.name": "dapo",
    "reward.reward_kwargs.overlong_buffer_cfg.enable": True,
    "reward.reward_kwargs.overlong_buffer_cfg.log": True,
    # Scores are 0 and 1, the penalty at most 1: what is above 0 was right, and not cut off at its full length.
    "algorithm.daro.success_threshold": 0,
}

METHODS = {
    "daro": Method(weighting=None),
    "daro_paper": Method("paper"),
    "grpo": Method("grpo"),
    "dapo": Method("dapo", clip=(0.2, 0.28, 10.0), settings={**_DYNAMIC_SAMPLING, **_OVERLONG}, overlong=True),
    "dr_grpo": Method("dr_grpo"),
    "lipo": Method("lipo"),
}


def settings(name: str) -> dict[str, Any]:
    """Keys and values of verl that ``METHOD=name`` sets, without its weighting."""
    method = METHODS[name]
    return {**dict(zip(CLIP_KEYS, method.clip, strict=True)), **method.settings}
