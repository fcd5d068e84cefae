"""The knobs as Hydra overrides of ``verl.trainer.main_ppo``."""

import re
from collections.abc import Sequence
from typing import Any

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.recipes import methods
from daro_verl.toolkit.recipes.errors import DaroRecipeError
from daro_verl.toolkit.recipes.knobs import ACTOR, KNOBS, MEGATRON, ROLLOUT, Values

# Of every recipe, whatever its knobs.
FIXED = {
    "algorithm.adv_estimator": "daro",
    "algorithm.use_kl_in_reward": False,
    "critic.enable": False,
    "data.filter_overlong_prompts": True,
    "data.truncation": "error",
    "reward.custom_reward_function.path": "pkg://daro_verl.reward.math",
    "reward.custom_reward_function.name": "compute_score",
    f"{ACTOR}.use_dynamic_bsz": True,
    f"{ACTOR}.use_kl_loss": False,
    f"{ACTOR}.loss_agg_mode": "token-mean",
    f"{ACTOR}.checkpoint.save_contents": ["model", "optimizer", "extra"],
    f"{ACTOR}.optim.use_checkpoint_opt_param_scheduler": True,  # else a resume starts the warm-up over
    f"{MEGATRON}.use_mbridge": True,
    f"{ROLLOUT}.val_kwargs.do_sample": True,
    "trainer.total_epochs": 1000,  # the number of steps decides
}
# verl's configuration has no such keys.
NEW = ("algorithm.daro.", "reward.reward_kwargs.", "ray_kwargs.ray_init.runtime_env.env_vars.")


def settings(values: Values) -> dict[str, Any]:
    """Every key of verl that the recipe sets, and its value."""
    method = methods.METHODS[values["METHOD"]]
    chosen = {**FIXED, **methods.settings(values["METHOD"])}
    for name, knob in KNOBS.items():
        if method.overlong or not name.startswith("OVERLONG"):
            chosen |= knob.settings(values[name])
    if method.overlong:
        chosen["reward.reward_kwargs.max_resp_len"] = values["MAX_RESPONSE"]  # the manager is not told otherwise
    return {**chosen, f"{ROLLOUT}.max_model_len": values["MAX_PROMPT"] + values["MAX_RESPONSE"]}


def overrides(values: Values, more: dict[str, Any], platform: Sequence[str], extra: Sequence[str]) -> list[str]:
    """All overrides; of two with the same key the later one counts.

    Args:
        more: keys and values of this attempt.
        platform: of a machine without a GPU; empty elsewhere.
        extra: the user's own.

    Raises:
        DaroRecipeError: one of the user's is no override.
    """
    check_extra(extra)
    recipe = [_render(key, value) for key, value in {**settings(values), **more}.items()]
    return ["model_engine=megatron", *without(recipe, [*platform, *extra]), *without(platform, extra), *extra]


def check_extra(extra: Sequence[str]) -> None:
    """Refuse what is no Hydra override."""
    for argument in extra:
        if not re.match(r"(\+\+?|~)?[\w@./-]+(=|$)", argument) or argument.startswith("-") or "=" not in argument:
            fix = "write KEY=VALUE, +KEY=VALUE for a key that verl does not have; a knob goes before the command"
            raise DaroRecipeError(got_expected_fix("arguments", argument, "Hydra overrides of verl", fix))
        if argument.partition("=")[0] in KNOBS:
            fix = f"{argument} bash recipes/..."
            raise DaroRecipeError(got_expected_fix("arguments", argument, "a knob before the command", fix))


def key_of(override: str) -> str:
    """``+a.b=c`` sets ``a.b``."""
    return override.partition("=")[0].lstrip("+~")


def without(overrides: Sequence[str], later: Sequence[str]) -> list[str]:
    """``overrides`` whose keys ``later`` ones do not set."""
    keys = {key_of(override) for override in later}
    return [override for override in overrides if key_of(override) not in keys]


def _render(key: str, value: Any) -> str:
    return f"{'++' if key.startswith(NEW) else ''}{key}={_text(value)}"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    text = str(value)
    if isinstance(value, bool | int | float) or re.fullmatch(r"[\w./:-]+", text):
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
