"""daro-verl beside verl 0.9.1's own environments on GPUs: which versions uv would install, without installing any."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.slow  # asks the package index, some 20 s

ROOT = Path(__file__).parents[2]
PINS = Path(__file__).with_name("verl_0.9.1.txt")
# verl's own, from [tool.uv] of verl 0.9.1's pyproject.toml: SGLang 0.5.12 asks for transformers 5.6.0 and flash-attn-4.
OVERRIDES = ["transformers==5.9.0", "numpy>=2.0.0", "kernels>=0.12.0,<0.13", "flash-attn-4; platform_machine == 'none'"]
# (what is wanted besides daro-verl, extras of daro-verl), all asked at once
ON_A_NODE = "megatron,data,report"
QUESTIONS = [("vllm==0.24.0", ON_A_NODE), ("sglang==0.5.12", ON_A_NODE), ("", ON_A_NODE), ("", "gym")]
MUST_NOT_MOVE = ("torch", "transformers", "megatron-core", "mbridge", "ray", "pyarrow", "datasets", "tensordict")
# verl's own packages of which the pins give no single version
NOT_PINNED = {"verl", "transferqueue", "fastapi"}


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[tuple[str, str], "subprocess.CompletedProcess[str]"]:
    folder = tmp_path_factory.mktemp("resolution")
    with ThreadPoolExecutor(len(QUESTIONS)) as pool:
        return dict(zip(QUESTIONS, pool.map(lambda question: ask_uv(folder, *question), QUESTIONS), strict=True))


def ask_uv(folder: Path, wanted: str, extras: str) -> "subprocess.CompletedProcess[str]":
    """What uv would install beside verl's pins."""
    overrides, requirements = folder / "overrides.txt", folder / f"{wanted}-{extras}.txt"
    overrides.write_text("\n".join(OVERRIDES))
    requirements.write_text(wanted)
    command = [sys.executable, "-m", "uv", "pip", "compile", str(ROOT / "pyproject.toml"), str(requirements)]
    command += ["--no-config", "--quiet", "--no-header", "--no-annotate", "--constraints", str(PINS)]
    command += ["--overrides", str(overrides), "--python-version", "3.12", "--python-platform", "x86_64-manylinux_2_39"]
    command += [f"--extra={extra}" for extra in extras.split(",")] + configured_index()
    return subprocess.run(command, capture_output=True, text=True, timeout=280)


def configured_index() -> list[str]:
    """The package index that pip is told to use, for uv, which does not read pip's settings."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    index = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return ["--default-index", index] if index else []


def versions(answer: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    """By canonical name; uv's reason where no versions fit together."""
    assert answer.returncode == 0, answer.stderr
    lines = re.findall(r"^([\w.-]+)==(\S+)", answer.stdout, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    lines = [line for line in PINS.read_text().splitlines() if line and not line.startswith("#")]
    every = {canonicalize_name(one.name): str(one.specifier) for one in map(Requirement, lines)}
    return {name: pin.removeprefix("==") for name, pin in every.items() if pin.startswith("==")}


@pytest.mark.parametrize("engine", ["vllm==0.24.0", "sglang==0.5.12"])
def test_no_version_of_verls_environment_moves(engine, answers, pins):
    """Everything at once: the engine, verl, Megatron-core, and what daro-verl needs of them."""
    found = versions(answers[engine, ON_A_NODE])
    name, _, version = engine.partition("==")
    assert found["verl"] == "0.9.1" and found[name] == version == pins[name]
    assert {one: found[one] for one in MUST_NOT_MOVE} == {one: pins[one] for one in MUST_NOT_MOVE}
    assert {one: found[one] for one in found if found[one] != pins.get(one, found[one])} == {}


def test_what_must_be_added_is_what_the_page_says(answers, pins):
    """docs/install.md names every package that verl's environments do not have, at the version that fits."""
    found = versions(answers["", ON_A_NODE])
    missing = {name: version for name, version in found.items() if name not in pins.keys() | NOT_PINNED}
    commands = re.findall(r"pip install --no-deps ((?:[\w-]+==[\d.]+ ?)+)", (ROOT / "docs" / "install.md").read_text())
    assert commands and all(dict(one.split("==") for one in line.split()) == missing for line in commands)


def test_generated_tasks_do_not_fit(answers):
    """reasoning-gym pins tabulate 0.9.0 where verl's environments have 0.10.0: why it is an extra of its own."""
    assert answers["", "gym"].returncode != 0 and "tabulate==0.10.0" in answers["", "gym"].stderr
