"""A byte-level tokenizer and a Qwen2 model of 1.4 million parameters. Both are made here; nothing is downloaded."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
# One turn is its text between START and END; there are no role names, which keeps prompts short.
CHAT_TEMPLATE = (
    "{% for message in messages %}" + START + "{{ message['content'] }}" + END + "{% endfor %}"
    "{% if add_generation_prompt %}" + START + "{% endif %}"
)
HEAD_SIZE = 32  # the smallest that vLLM's CPU attention has
# 256 bytes, 3 special tokens, and some that are never used, because tensor parallelism splits 264 evenly. The model and
# the tokenizer need the same number: verl bars ids beyond the tokenizer's from the rollout, but not from training.
RESERVED = tuple(f"<|reserved{i}|>" for i in range(5))
VOCAB_SIZE = 256 + 3 + len(RESERVED)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Build a tokenizer with one token per byte, so that no digit is part of a longer token."""
    vocab = {byte: index for index, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    for token in (PAD, START, END, *RESERVED):
        vocab[token] = len(vocab)
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[START, *RESERVED],
        chat_template=CHAT_TEMPLATE,
    )


def encode_prompt(tokenizer: PreTrainedTokenizerFast, prompt: str) -> list[int]:
    """Tokens of ``prompt`` as verl renders it: the chat template, up to where the response starts."""
    messages = [{"role": "user", "content": prompt}]
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)


def build_model(tokenizer: PreTrainedTokenizerFast, hidden_size: int = 192, num_layers: int = 3) -> Qwen2ForCausalLM:
    """Build a Qwen2 model small enough for a CPU. Its two key-value heads allow tensor parallelism of two."""
    config = Qwen2Config(
        vocab_size=VOCAB_SIZE,
        hidden_size=hidden_size,
        intermediate_size=3 * hidden_size,
        num_hidden_layers=num_layers,
        num_attention_heads=hidden_size // HEAD_SIZE,
        num_key_value_heads=2,
        initializer_range=0.05,
        max_position_embeddings=256,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config)
