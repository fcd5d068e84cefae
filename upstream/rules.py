"""verl's pre-commit rules, as far as they can be had without its repository.

ruff and mypy with verl's settings; docstrings by ruff's rules for the files that verl's own check looks at; licence
header, place and name of tests, device calls, spelling and title as in ``tests/special_sanity``; generated YAML.
"""

import re
import subprocess
import sys
from collections.abc import Iterator

from upstream.contribution import FOLDER, NEW, Contribution
from upstream.copies import Copy
from upstream.generated import outdated

DOCSTRINGS = {
    "verl/trainer/ppo/ray_trainer.py",
    "verl/trainer/main_ppo.py",
    "verl/trainer/ppo/reward.py",
    "verl/utils/reward_score/__init__.py",
    "verl/trainer/ppo/core_algos.py",
    "verl/experimental/agent_loop/agent_loop.py",
}
TYPED = {"verl/trainer/config/algorithm.py", "verl/trainer/ppo/core_algos.py", "verl/trainer/ppo/reward.py"}
LICENCE = re.compile(r"^# Copyright 202[4-6] .*\n#\n# Licensed under the Apache License")
MODULES = set(
    "fsdp megatron veomni sglang vllm trtllm rollout trainer tests training_utils recipe hardware deployment ray "
    "worker single_controller misc docker ci perf model algo env tool ckpt doc data cfg reward fully_async "
    "one_step_off".split()
)
TITLE = re.compile(r"^(\[BREAKING\])?\[([a-z_, ]+)\] (feat|fix|refactor|chore|test): .+$")


def violations(contribution: Contribution, copy: Copy) -> list[str]:
    """What verl's rules have against a contribution that is applied to ``copy``."""
    changed = [path for path in [*contribution.touched, *contribution.new_files] if (copy.root / path).is_file()]
    python = [str(path) for path in changed if path.suffix == ".py"]
    found = [*_title(contribution.title), *_new_files(contribution, copy), *_words(contribution)]
    ruff, settings = [sys.executable, "-m", "ruff"], f"--config={FOLDER / 'verl_ruff.toml'}"
    found += _output(copy, *ruff, "check", "-q", "--no-cache", "--output-format=concise", settings, *python)
    found += _output(copy, *ruff, "format", "--check", "--no-cache", settings, *python)
    if documented := sorted(DOCSTRINGS & set(python)):
        select = ["--isolated", "--select=D101,D102,D103", "--output-format=concise"]
        found += _output(copy, *ruff, "check", "-q", "--no-cache", *select, *documented)
    if typed := sorted(TYPED & set(python)):
        settings = f"--config-file={FOLDER / 'verl_mypy.ini'}"
        found += _output(copy, sys.executable, "-m", "mypy", settings, "--cache-dir=/dev/null", *typed)
    if any("config" in path.parts for path in contribution.touched):
        found += outdated(copy)
    return found


def _output(copy: Copy, *command: str) -> list[str]:
    """What a tool printed, if it complained."""
    done = subprocess.run(command, cwd=copy.root, capture_output=True, text=True)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.strip()] if done.returncode else []


def _title(title: str) -> Iterator[str]:
    match = TITLE.match(title)
    if not match or not set(re.split(r",\s*", match[2])) <= MODULES:
        yield f"title: got {title!r}, expected '[modules] type: text' with verl's modules and types"


def _new_files(contribution: Contribution, copy: Copy) -> Iterator[str]:
    folders = {path.name for path in (copy.root / "verl").iterdir() if path.is_dir()}
    for path in contribution.new_files:
        text = (contribution.folder / NEW / path).read_text()
        if path.suffix == ".py" and not LICENCE.match(text):
            yield f"{path}: no licence header"
        if path.parts[0] == "docs" and path.suffix in (".md", ".rst") and "Last updated" not in text:
            yield f"{path}: no 'Last updated'"
        if path in contribution.tests and (path.parts[1] not in folders or not path.stem.endswith("_on_cpu")):
            yield f"{path}: expected tests/<module of verl>/**/test_*_on_cpu.py"


def _words(contribution: Contribution) -> Iterator[str]:
    new = [(contribution.folder / NEW / path).read_text() for path in contribution.new_files]
    for word in re.findall(r"veRL|Sglang|sgLang", "\n".join([*contribution.added_lines(), *new])):
        yield f"spelling: got {word}, expected verl, SGLang or sglang"
    for line in contribution.added_lines():
        if re.search(r"\.cuda\b|\"cuda\"|\"nccl\"", line):
            yield f"device call: got {line.strip()!r}, expected verl.utils.device"
