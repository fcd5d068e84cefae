"""A model of 0.3 million parameters with the settings of a real one. It learns in seconds to answer with a box."""

import random
from pathlib import Path
from typing import Any

from daro_verl.toolkit.models.families import PLAIN
from daro_verl.toolkit.models.shape import Shape

HEAD = 32  # the smallest that vLLM's CPU attention takes
SIZES: dict[str, Any] = {
    "vocab_size": 264, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "initializer_range": 0.05,
}  # fmt: skip
QWEN: dict[str, Any] = {"rope_theta": 10000.0, "max_position_embeddings": 4096}
LLAMA: dict[str, Any] = {
    "rope_theta": 500000.0,
    "max_position_embeddings": 131072,
    "rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                     "original_max_position_embeddings": 8192, "rope_type": "llama3"},
}  # fmt: skip
CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nReason.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
STEPS, BATCH, LEARNING_RATE = 50, 8, 3e-3
IGNORED = -100  # label that cross-entropy skips


def shape(recipe: str) -> Shape:
    """The shape of the prepared model for ``recipe``."""
    return Shape(
        num_layers=SIZES["num_hidden_layers"],
        num_heads=SIZES["num_attention_heads"],
        num_kv_heads=SIZES["num_key_value_heads"],
        hidden_size=SIZES["hidden_size"],
        intermediate_size=SIZES["intermediate_size"],
        vocab_size=SIZES["vocab_size"],
        positions=LLAMA["max_position_embeddings"] if _is_llama(recipe) else 16384,
        tied=_is_tied(recipe),
        rope_scaling="llama3" if _is_llama(recipe) else "default",
    )


def build(directory: Path, recipe: str, questions: list[list[dict[str, str]]]) -> None:
    """Write the model and its tokenizer, as if they came from the hub.

    Args:
        questions: prompts, as messages. The model learns to answer them with ``\\boxed{1}`` or ``\\boxed{2}``.
    """
    import torch

    torch.set_num_threads(1)  # as fast for so small a model, and not slowed by other work on the machine
    torch.manual_seed(0)
    tokenizer = _tokenizer(recipe)
    model = _model(recipe, tokenizer)
    _teach(model, tokenizer, questions)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def _is_llama(recipe: str) -> bool:
    return recipe.startswith("llama")


def _is_tied(recipe: str) -> bool:
    return recipe.endswith("1.5b")


def _tokenizer(recipe: str) -> Any:
    """A token for each byte, then special tokens. Llama has a start token and no template, like the base model."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = ["<|end_of_text|>", "<|begin_of_text|>"] if _is_llama(recipe) else ["<|endoftext|>", "<|im_start|>"]
    names += [] if _is_llama(recipe) else ["<|im_end|>"]
    special = names + [f"<|reserved{number}|>" for number in range(SIZES["vocab_size"] - 256 - len(names))]
    vocabulary = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *special]
    bytes_only = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(vocabulary)}, merges=[]))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_only.decoder = decoders.ByteLevel()
    own = {"bos_token": names[1]} if _is_llama(recipe) else {"pad_token": names[0], "chat_template": CHATML}
    return PreTrainedTokenizerFast(
        tokenizer_object=bytes_only, eos_token=names[0], additional_special_tokens=special, **own
    )


def _model(recipe: str, tokenizer: Any) -> Any:
    from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

    kind, settings = (LlamaConfig, LLAMA) if _is_llama(recipe) else (Qwen2Config, QWEN)
    ends = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    return AutoModelForCausalLM.from_config(
        kind(**SIZES, **settings, **ends, tie_word_embeddings=_is_tied(recipe), pad_token_id=tokenizer.pad_token_id)
    )


def _teach(model: Any, tokenizer: Any, questions: list[list[dict[str, str]]]) -> None:
    """Teach the model to answer any question with one of two values, sometimes after rambling."""
    import torch

    rng, template = random.Random(0), tokenizer.chat_template or PLAIN
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    for _ in range(STEPS):
        rows = []
        for question in rng.sample(questions, BATCH):
            text = tokenizer.apply_chat_template(
                question, chat_template=template, add_generation_prompt=True, tokenize=False
            )
            answer = "hm " * rng.randrange(3) + rf"\boxed{{{rng.choice('12')}}}" + tokenizer.eos_token
            rows.append([tokenizer.encode(part, add_special_tokens=False) for part in (text, answer)])
        longest = max(len(prompt) + len(answer) for prompt, answer in rows)
        tokens = torch.full((BATCH, longest), tokenizer.eos_token_id)
        labels = torch.full((BATCH, longest), IGNORED)
        for row, (prompt, answer) in enumerate(rows):
            end = len(prompt) + len(answer)
            tokens[row, :end] = torch.tensor(prompt + answer)
            labels[row, len(prompt) : end] = torch.tensor(answer)
        loss = model(input_ids=tokens, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
