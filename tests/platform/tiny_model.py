"""A model small enough to train on two CPU cores, with a byte-level tokenizer, in the Hugging Face format."""

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config, set_seed

# Four, so that two or four tensor-parallel ranks share the 260 tokens evenly. The model has no token beyond them: verl
# bars a rollout from tokens that the tokenizer lacks, and its log-probabilities would differ from training's.
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|reserved|>")
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CONFIGS = {"qwen2": Qwen2Config, "llama": LlamaConfig}


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte, so that verl finds the newline of a chat template as one token."""
    vocab = {token: i for i, token in enumerate((*sorted(pre_tokenizers.ByteLevel.alphabet()), *SPECIAL_TOKENS))}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>", "<|reserved|>"],
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def build(path: Path, model_type: str = "qwen2") -> Path:
    """Write a random 2-layer model and its tokenizer to ``path``.

    4 heads of 32, the smallest that vLLM's CPU attention takes, and 2 key-value heads.
    """
    set_seed(0)
    tokenizer = byte_tokenizer()
    tokenizer.save_pretrained(path)
    config = CONFIGS[model_type](
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(path)
    return path


if __name__ == "__main__":
    import sys

    build(Path(sys.argv[1]), *sys.argv[2:])
