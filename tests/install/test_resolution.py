"""daro-verl beside verl 0.9.1's own environments on GPUs: which versions uv would install, without installing any."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.slow  # asks the package index

ROOT = Path(__file__).parents[2]
PINS = Path(__file__).with_name("verl_0.9.1.txt")
# verl's own, from [tool.uv] of verl 0.9.1's pyproject.toml: SGLang 0.5.12 asks for transformers 5.6.0 and flash-attn-4.
OVERRIDES = ["transformers==5.9.0", "numpy>=2.0.0", "kernels>=0.12.0,<0.13", "flash-attn-4; platform_machine == 'none'"]
# reasoning-gym pins tabulate 0.9.0 but works with verl's 0.10.0 (tests/toolkit/data): the page installs it --no-deps.
OVERRIDES += ["tabulate==0.10.0"]
ENGINES = ("vllm", "sglang")
EXTRAS = ("megatron", "data", "report", "gym")
EXPECTED = ("torch", "transformers", "megatron-core", "mbridge", "ray", "pyarrow", "datasets", "tensordict", "verl")


@pytest.fixture(scope="module")
def pins() -> dict[str, SpecifierSet]:
    lines = [line for line in PINS.read_text().splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(one.name): one.specifier for one in map(Requirement, lines)}


@pytest.fixture(scope="module")
def added() -> dict[str, str]:
    """By canonical name, the versions that docs/install.md installs beside verl."""
    page = (ROOT / "docs" / "install.md").read_text()
    commands = re.findall(r"pip install --no-deps ((?:[\w-]+==[\d.]+ ?)+)", page)
    pairs = [one.split("==") for line in commands if "verl==" not in line for one in line.split()]
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.fixture(scope="module")
def answers(tmp_path_factory, pins, added) -> dict[str, "subprocess.CompletedProcess[str]"]:
    """By engine; both are asked at once."""
    folder, page = tmp_path_factory.mktemp("resolution"), [f"{name}=={version}" for name, version in added.items()]
    with ThreadPoolExecutor(len(ENGINES)) as pool:
        asked = pool.map(lambda engine: ask_uv(folder, engine, [f"{engine}{pins[engine]}", *page]), ENGINES)
        return dict(zip(ENGINES, asked, strict=True))


def ask_uv(folder: Path, engine: str, wanted: list[str]) -> "subprocess.CompletedProcess[str]":
    """Everything at once: the engine, verl, Megatron-core, and what daro-verl needs of them."""
    overrides, requirements = folder / f"{engine}-overrides.txt", folder / f"{engine}.txt"
    overrides.write_text("\n".join(OVERRIDES))
    requirements.write_text("\n".join(wanted))
    command = [sys.executable, "-m", "uv", "pip", "compile", str(ROOT / "pyproject.toml"), str(requirements)]
    command += ["--no-config", "--quiet", "--no-header", "--no-annotate", "--constraints", str(PINS)]
    command += ["--overrides", str(overrides), "--python-version", "3.12", "--python-platform", "x86_64-manylinux_2_39"]
    command += [f"--extra={extra}" for extra in EXTRAS] + configured_index()
    return subprocess.run(command, capture_output=True, text=True, timeout=280)


def configured_index() -> list[str]:
    """The package index that pip is told to use, for uv, which does not read pip's settings."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    index = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return ["--default-index", index] if index else []


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_of_verls_environment_moves_and_the_page_names_what_is_added(engine, answers, pins, added):
    assert answers[engine].returncode == 0, answers[engine].stderr
    lines = re.findall(r"^([\w.-]+)==(\S+)", answers[engine].stdout, re.MULTILINE)
    found = {canonicalize_name(name): version for name, version in lines}
    assert {engine, *EXPECTED} <= found.keys()
    assert {name: found[name] for name in found if name in pins and not pins[name].contains(found[name])} == {}
    assert {name: found[name] for name in found if name not in pins} == added
