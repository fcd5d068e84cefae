"""What a family of models needs before a job can start from it."""

from dataclasses import dataclass, replace
from typing import Any

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.models.config_file import Config, with_positions
from daro_verl.toolkit.models.errors import DaroModelError
from daro_verl.toolkit.models.templates import PLAIN


@dataclass(frozen=True)
class Recipe:
    """Changes to a model's files.

    Args:
        theta, positions: of the rotary embeddings; None to leave both.
        from_theta: the base that the model must have.
        chat_template: replaces the tokenizer's own, or its absence; None to leave it.
    """

    name: str
    model_type: str
    theta: float | None = None
    positions: int | None = None
    from_theta: float = 10000.0
    chat_template: str | None = None

    def config(self, config: Config) -> Config:
        """The model's configuration as the recipe wants it."""
        if self.theta is None or self.positions is None:
            return config
        return with_positions(config, self.theta, self.positions, self.from_theta)

    def tokenizer_config(self, config: Config) -> Config:
        """``tokenizer_config.json`` as the recipe wants it. vLLM takes the smaller of its limit and the model's."""
        changed = dict(config)
        if self.chat_template is not None:
            changed["chat_template"] = self.chat_template
        limit = changed.get("model_max_length")
        if self.positions is not None and isinstance(limit, int | float) and limit < self.positions:
            changed["model_max_length"] = self.positions
        return changed


# The "16k-think" configuration of the models that LUFFY and the work after it start from.
QWEN_MATH = Recipe("qwen2.5-math", "qwen2", theta=40000.0, positions=16384)
LLAMA_BASE = Recipe("llama-base", "llama", chat_template=PLAIN)
RECIPES = {recipe.name: recipe for recipe in (QWEN_MATH, LLAMA_BASE)}


def choose(name: str, config: Config, options: dict[str, Any]) -> Recipe:
    """The recipe of this name, or with ``auto`` the one for this type of model, with the options that were given.

    Raises:
        DaroModelError: there is none, or it is for another type of model, or it has no such option.
    """
    model_type = config.get("model_type")
    by_type = {recipe.model_type: recipe for recipe in RECIPES.values()}
    recipe = by_type.get(str(model_type)) if name == "auto" else RECIPES[name]
    if recipe is None or recipe.model_type != model_type:
        expected = f"a model of type {recipe.model_type if recipe else ' or '.join(by_type)}"
        raise DaroModelError(got_expected_fix("config.json: model_type", model_type, expected, "use it as it is"))
    given = {key: value for key, value in options.items() if value is not None}
    if given and recipe.theta is None:
        names = ", ".join(f"--{key.replace('_', '-')}" for key in given)
        raise DaroModelError(got_expected_fix(f"recipe {recipe.name}", names, "no such option", "leave it out"))
    return replace(recipe, **given)
