"""Model directories of a few kilobytes, with the settings of the real ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

QWEN_MATH = {
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 48, "intermediate_size": 96,
    "num_attention_heads": 12, "num_key_value_heads": 2, "num_hidden_layers": 4, "vocab_size": 264,
    "max_position_embeddings": 4096, "rope_theta": 10000, "sliding_window": 4096, "use_sliding_window": False,
    "tie_word_embeddings": True, "torch_dtype": "bfloat16", "eos_token_id": 256,
}  # fmt: skip
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
    "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 4, "vocab_size": 264,
    "max_position_embeddings": 131072, "rope_theta": 500000.0, "tie_word_embeddings": False,
    "rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                     "original_max_position_embeddings": 8192, "rope_type": "llama3"},
    "bos_token_id": 257, "eos_token_id": 256,
}  # fmt: skip
CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\n"
    "Please reason step by step, and put your final answer within a box of your own.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer(special: list[str], **settings: Any) -> PreTrainedTokenizerFast:
    """A token for each byte, then the special ones from 256 on."""
    vocab = {byte: index for index, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    vocab |= {token: 256 + index for index, token in enumerate(special)}
    bytes_only = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_only.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=bytes_only, additional_special_tokens=special, **settings)


def _write(directory: Path, config: dict[str, Any], shards: int) -> Path:
    (directory / "config.json").write_text(json.dumps(config))
    names = [f"model-{number + 1:05d}-of-{shards:05d}.safetensors" for number in range(shards)]
    for name in names:
        save_file({name: np.zeros(4, np.float32)}, directory / name)
    index = {"metadata": {}, "weight_map": {name: name for name in names}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    (directory / "generation_config.json").write_text(json.dumps({"eos_token_id": 256, "max_new_tokens": 2048}))
    (directory / "LICENSE").write_text("its licence")
    (directory / ".gitattributes").write_text("hidden")
    return directory


def qwen_math(directory: Path, **changes: Any) -> Path:
    """As Qwen2.5-Math: 4096 positions, a chat template whose turns end with another token than generation."""
    directory.mkdir(parents=True)
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    made = tokenizer(special, eos_token="<|endoftext|>", chat_template=CHATML, model_max_length=131072)
    made.save_pretrained(directory)
    return _write(directory, QWEN_MATH | changes, shards=2)


def llama(directory: Path, **changes: Any) -> Path:
    """As Llama-3.1-8B base: start and end token, no chat template."""
    directory.mkdir(parents=True)
    special = ["<|end_of_text|>", "<|begin_of_text|>"]
    tokenizer(special, eos_token=special[0], bos_token=special[1], model_max_length=131072).save_pretrained(directory)
    return _write(directory, LLAMA | changes, shards=2)
