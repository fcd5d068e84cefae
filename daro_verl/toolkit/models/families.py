"""The changes that a family of models needs before a job: other rotary embeddings, or a chat template.

``config.json`` is rewritten on disk, because vLLM, SGLang and Megatron-Bridge read the file, and verl's
``model.override_config`` does not reach them. This module itself reads and writes nothing.
"""

from dataclasses import dataclass, replace
from typing import Any

from daro_verl.errors import DaroConfigError, DaroDataError
from daro_verl.toolkit.models.rotary import in_both_forms

Config = dict[str, Any]

# A base model has seen questions with answers, but no role names. The template must write the start token itself,
# because verl renders a prompt without adding special tokens. A finished answer ends with the end token.
PLAIN = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] }}\n\n"
    "{% elif message['role'] == 'user' %}Question: {{ message['content'] }}\n"
    "{% else %}Answer: {{ message['content'] }}{{ eos_token }}\n"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Answer:{% endif %}"
)


@dataclass(frozen=True)
class Family:
    """Changes to a model's files.

    Args:
        theta, positions: base and limit of the rotary embeddings; None to keep both.
        from_theta: the base that the model must have.
        chat_template: replaces the tokenizer's own, or adds one; None to keep it.
    """

    name: str
    model_type: str
    theta: float | None = None
    positions: int | None = None
    from_theta: float = 10000.0
    chat_template: str | None = None

    def config(self, config: Config) -> Config:
        """The model's configuration with the family's changes."""
        if self.theta is None or self.positions is None:
            return in_both_forms(config)
        return with_positions(config, self.theta, self.positions, self.from_theta)

    def tokenizer_config(self, config: Config) -> Config:
        """``tokenizer_config.json`` with the family's changes. vLLM uses the smaller of its limit and the model's."""
        changed = dict(config)
        if self.chat_template is not None:
            changed["chat_template"] = self.chat_template
        limit = changed.get("model_max_length")
        if self.positions is not None and isinstance(limit, int | float) and limit < self.positions:
            changed["model_max_length"] = self.positions
        return changed


# The "16k-think" configuration of the models that LUFFY and the work after it start from.
QWEN_MATH = Family("qwen2.5-math", "qwen2", theta=40000.0, positions=16384)
LLAMA_BASE = Family("llama-base", "llama", chat_template=PLAIN)
FAMILIES = {family.name: family for family in (QWEN_MATH, LLAMA_BASE)}


def choose_family(name: str, config: Config, options: dict[str, Any]) -> Family:
    """The family of this name, or with ``auto`` the one for this type of model, with the given options.

    Raises:
        DaroError: there is no family for the model, it is for another type of model, or it lacks a given option.
    """
    model_type = config.get("model_type")
    by_type = {family.model_type: family for family in FAMILIES.values()}
    family = by_type.get(str(model_type)) if name == "auto" else FAMILIES[name]
    if family is None or family.model_type != model_type:
        expected = f"a model of type {family.model_type if family else ' or '.join(by_type)}"
        fix = "use the model without changes"
        raise DaroDataError("config.json: model_type", got=model_type, expected=expected, fix=fix)
    given = {key: value for key, value in options.items() if value is not None}
    if given and family.theta is None:
        names = ", ".join(f"--{key.replace('_', '-')}" for key in given)
        raise DaroConfigError(f"recipe {family.name}", got=names, expected="no such option", fix="remove it")
    return replace(family, **given)


def theta(config: Config) -> float | None:
    """The base of the rotary embeddings; None if the file leaves it to a default.

    transformers 5 writes it into ``rope_parameters``, which overrides the older ``rope_theta`` beside it.
    """
    parameters = config.get("rope_parameters")
    if isinstance(parameters, dict) and "rope_theta" in parameters:
        return float(parameters["rope_theta"])
    return float(config["rope_theta"]) if config.get("rope_theta") is not None else None


def scaling(config: Config) -> str:
    """Type of the scaling of rotary embeddings, ``default`` for none."""
    for name in ("rope_parameters", "rope_scaling"):
        if isinstance(parameters := config.get(name), dict):
            kind = parameters.get("rope_type", parameters.get("type"))
            if kind and kind != "default":
                return str(kind)
    return "default"


def with_positions(config: Config, new_theta: float, positions: int, old_theta: float) -> Config:
    """The configuration with another base and position limit, in the forms of transformers 4 and 5.

    It has both forms, because an engine that knows only one would silently use the default base.

    Raises:
        DaroDataError: the base is neither the old one nor the new one, or is already scaled.
    """
    found = theta(config)
    if found not in (old_theta, new_theta):
        fix = "use this other model without changes, or pass its base as --from-theta"
        raise DaroDataError("config.json: rope_theta", got=found, expected=f"{old_theta:g} or {new_theta:g}", fix=fix)
    if (kind := scaling(config)) != "default":
        fix = "use the model without changes: scaled positions are already long"
        raise DaroDataError("config.json: rope_scaling", got=kind, expected="none", fix=fix)
    window = config.get("sliding_window")
    if config.get("use_sliding_window") and window is not None and window < positions:
        fix = f"set use_sliding_window to false in config.json, or --positions {window}"
        raise DaroDataError("config.json: sliding_window", got=window, expected=f"at least {positions}", fix=fix)
    base = int(new_theta) if float(new_theta).is_integer() else new_theta
    parameters = {"rope_type": "default", **(config.get("rope_parameters") or {}), "rope_theta": base}
    return in_both_forms({**config, "rope_parameters": parameters, "max_position_embeddings": positions})


def changes(before: Config, after: Config) -> dict[str, list[Any]]:
    """Old and new value of each key that differs."""
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return {key: [before.get(key), after.get(key)] for key in keys}
