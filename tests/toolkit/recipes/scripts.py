"""The recipes as a user calls them, up to where Python begins."""

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

from daro_verl.toolkit.recipes.misspelled import ALIASES

RECIPES = Path(__file__).parents[3] / "recipes"
SCRIPTS = ("run_daro_qwen2.5_math_1.5b", "run_daro_qwen2.5_math_7b", "run_daro_llama8b")
STUB = f"#!{sys.executable}\nimport json, os\nprint(json.dumps(dict(os.environ)))\n"
ASSIGNED = re.compile(r"^([A-Z_]+)=\$\{\1:-(.*)\}$")


def clean_environment(**knobs: str) -> dict[str, str]:
    """This process's, without knobs, or what is taken for one, that somebody set for it (``make test ROLLOUT=...``)."""
    knobs_of_others = {*knob_comments(SCRIPTS[0]), *ALIASES}
    own = {name: value for name, value in os.environ.items() if name not in knobs_of_others}
    return own | knobs


@cache
def environment(script: str, stub: Path, **knobs: str) -> dict[str, str]:
    """The environment in which a recipe starts Python; ``stub`` stands in for Python and prints it."""
    if not stub.exists():
        stub.write_text(STUB)
        stub.chmod(0o755)
    env = clean_environment(PYTHON=str(stub), **knobs)
    done = subprocess.run(["bash", RECIPES / f"{script}.sh"], env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@cache
def knob_comments(script: str) -> dict[str, str]:
    """The comment before each knob of a recipe, in one line, by knob."""
    comments, lines = {}, []
    for file in (f"{script}.sh", "common.sh"):
        for line in (RECIPES / file).read_text().splitlines():
            if match := ASSIGNED.match(line):
                comments[match[1]], lines = " ".join(lines), []
            else:
                lines = [*lines, line.lstrip("# ")] if line.startswith("# ") else []
    return {name: text for name, text in comments.items() if name != "PYTHON"}
