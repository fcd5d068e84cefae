"""The sizes of a model, which parallelism divides."""

import json
from dataclasses import dataclass
from pathlib import Path

from daro_verl.errors import DaroDataError
from daro_verl.toolkit.models.families import scaling
from daro_verl.toolkit.models.origin import CONFIG, read_json


@dataclass(frozen=True)
class Shape:
    """Sizes of a decoder.

    - ``num_kv_heads``: equal to ``num_heads`` without grouped queries;
    - ``window``: window of sliding attention; None without it;
    - ``tokenizer_limit``: the tokenizer's ``model_max_length``; None if it has none;
    - ``tied``: whether input and output share one embedding;
    - ``eos_ids``: tokens at which generation stops;
    - ``head_dim``: size of a head; None for ``hidden_size / num_heads``;
    - ``rope_scaling``: type of the scaling of rotary embeddings; ``default`` for none.
    """

    num_layers: int
    num_heads: int
    num_kv_heads: int
    hidden_size: int
    intermediate_size: int
    vocab_size: int
    positions: int
    tied: bool
    window: int | None = None
    tokenizer_limit: int | None = None
    eos_ids: frozenset[int] = frozenset()
    rope_scaling: str = "default"
    head_dim: int | None = None

    @property
    def head_size(self) -> int:
        """Size of one head."""
        return self.head_dim or self.hidden_size // self.num_heads


def read_shape(directory: Path) -> Shape:
    """Read the sizes from ``config.json``. Sizes that it lacks have transformers' own defaults.

    Raises:
        DaroDataError: there is no such file, or the model is not a decoder.
    """
    rope_scaling = scaling(read_json(directory / CONFIG))
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(directory)
        config = config.get_text_config()
        window = config.sliding_window if getattr(config, "use_sliding_window", False) else None
        return Shape(
            num_layers=config.num_hidden_layers,
            num_heads=config.num_attention_heads,
            num_kv_heads=getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            vocab_size=config.vocab_size,
            positions=config.max_position_embeddings,
            tied=bool(config.tie_word_embeddings),
            window=window,
            tokenizer_limit=_optional(directory / "tokenizer_config.json", "model_max_length"),
            eos_ids=_eos_ids(directory, config.eos_token_id),
            rope_scaling=rope_scaling,
            head_dim=getattr(config, "head_dim", None),
        )
    except (AttributeError, ValueError, OSError, KeyError) as error:
        got, fix = f"{type(error).__name__}: {error}"[:200], "name the directory of a language model"
        raise DaroDataError(str(directory), got=got, expected="a decoder's config.json", fix=fix) from error


def _optional(path: Path, key: str) -> int | None:
    try:
        value = json.loads(path.read_bytes()).get(key)
    except (OSError, ValueError, AttributeError):
        return None
    return int(value) if isinstance(value, int | float) else None


def _eos_ids(directory: Path, of_config: int | list[int] | None) -> frozenset[int]:
    """The tokens at which vLLM stops: from ``generation_config.json`` if there is one, else the model's."""
    try:
        value = json.loads((directory / "generation_config.json").read_bytes())["eos_token_id"]
    except (OSError, ValueError, KeyError, TypeError):
        value = of_config
    return frozenset(value if isinstance(value, list) else [] if value is None else [value])
