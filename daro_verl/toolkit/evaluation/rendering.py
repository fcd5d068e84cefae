"""Render prompts as tokens with verl's own code, and compute how many tokens they leave to responses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daro_verl.errors import DaroConfigError, DaroDataError
from daro_verl.toolkit.models.shape import Shape, read_shape
from daro_verl.toolkit.models.tokenizer import check_tokenizer


class Renderer:
    """A model's tokenizer behind verl's prompt builder (``create_continuous_token_builder``, verl 0.9.1).

    Every agent loop uses that builder, in training and in validation. It applies the chat template with its generation
    prompt, without tools.

    Raises:
        DaroDataError: ``model`` is not a language model, or its tokenizer has no chat template that renders.
    """

    def __init__(self, model: Path) -> None:
        self.shape = read_shape(model)
        if errors := check_tokenizer(model, self.shape.vocab_size, self.shape.eos_ids).errors:
            raise DaroDataError("\n".join(errors))
        from transformers import AutoConfig
        from verl.utils.tokenizer import hf_tokenizer
        from verl.utils.tokenizer.continuous_token_wiring import create_continuous_token_builder

        self._tokenizer: Any = hf_tokenizer(str(model))
        model_type = AutoConfig.from_pretrained(model).model_type
        self._builder: Any = create_continuous_token_builder(self._tokenizer, hf_model_type=model_type)

    def render(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The prompt's tokens."""
        return list(self._builder.build_initial_tokens([dict(message) for message in messages]))

    def text(self, tokens: Sequence[int]) -> str:
        """A response's text without special tokens, as verl's reward managers read it."""
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))


@dataclass(frozen=True)
class TokenBudget:
    """How many tokens a response may have after a prompt.

    Args:
        total: most tokens of prompt and response together.
        response: most tokens of a response.
    """

    total: int
    response: int

    def after(self, prompt_tokens: int) -> int:
        """Tokens for a response after a prompt; 0 if the prompt fills the model."""
        return max(0, min(self.response, self.total - prompt_tokens))


def token_budget(shape: Shape, longest_prompt: int, response_tokens: int, max_model_tokens: int = 0) -> TokenBudget:
    """The budget for the engine: no more than the longest prompt and its response need.

    Raises:
        DaroConfigError: the model cannot hold a response of this length, or holds less than ``max_model_tokens``.
    """
    limits = {
        "max_position_embeddings of config.json": shape.positions,
        "model_max_length of tokenizer_config.json": shape.tokenizer_limit,
        "sliding_window of config.json": shape.window,
    }
    name, limit = min(((name, limit) for name, limit in limits.items() if limit is not None), key=lambda item: item[1])
    fix = "run `daro models prepare` for Qwen2.5-Math, or ask for fewer tokens"
    for option, asked in (("--max-model-tokens", max_model_tokens), ("--response-tokens", response_tokens + 1)):
        if asked > limit:
            raise DaroConfigError(option, got=asked, expected=f"at most {limit}, the {name}", fix=fix)
    return TokenBudget(min(max_model_tokens or limit, longest_prompt + response_tokens), response_tokens)


def remarks(lengths: Sequence[int], available: TokenBudget) -> list[str]:
    """Remarks on the number of prompts that leave no room for a response, or too little."""
    none = sum(available.after(length) == 0 for length in lengths)
    less = sum(0 < available.after(length) < available.response for length in lengths)
    found = []
    if none:
        found.append(
            f"{none} of {len(lengths)} prompts do not fit {available.total} tokens: their responses count as wrong"
        )
    if less:
        found.append(f"{less} of {len(lengths)} prompts leave less than {available.response} tokens to a response")
    return found
