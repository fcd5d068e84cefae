r"""AIME 2025, both papers: 30 problems. avg@32. One answer has a degree sign, ``336^\circ``."""

from daro_verl.toolkit.data.problem import Source
from daro_verl.toolkit.data.sources.aime24 import read

SOURCE = Source("aime25", read, "math-ai/aime25", splits=("test",), role="test", num_rows=(30,), rollouts=32)
