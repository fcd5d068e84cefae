"""Sizes of the three models, for a check on a machine that does not have them.

As published with the models, written down from memory; where ``MODEL`` exists, its own ``config.json`` counts.
Positions are those after ``python -m daro_verl.toolkit.models prepare``.
"""

from daro_verl.toolkit.models.shape import Shape

PUBLISHED = {
    "qwen2.5-math-1.5b": Shape(
        num_layers=28, num_heads=12, num_kv_heads=2, hidden_size=1536, intermediate_size=8960, vocab_size=151936,
        positions=16384, tied=True,
    ),
    "qwen2.5-math-7b": Shape(
        num_layers=28, num_heads=28, num_kv_heads=4, hidden_size=3584, intermediate_size=18944, vocab_size=152064,
        positions=16384, tied=False,
    ),
    "llama-3.1-8b": Shape(
        num_layers=32, num_heads=32, num_kv_heads=8, hidden_size=4096, intermediate_size=14336, vocab_size=128256,
        positions=131072, tied=False,
    ),
}  # fmt: skip
SOURCES = {
    "qwen2.5-math-1.5b": "Qwen/Qwen2.5-Math-1.5B",
    "qwen2.5-math-7b": "Qwen/Qwen2.5-Math-7B",
    "llama-3.1-8b": "meta-llama/Llama-3.1-8B",
}
