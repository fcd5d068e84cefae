"""The example scripts compose with verl's configuration and pass its checks and DARO's (no engine is started)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

# stands in for python: composes and validates what the script would train, as verl.trainer.main_ppo does first
COMPOSE = """#!{python}
import sys
from hydra import compose, initialize_config_dir
from tests.unit.jobs import CONFIG_DIR
from verl.utils.config import validate_config
from verl.trainer.ppo.utils import need_critic, need_reference_policy
assert sys.argv[1:3] == ["-m", "verl.trainer.main_ppo"]
with initialize_config_dir(CONFIG_DIR, version_base=None):
    config = compose("ppo_trainer", overrides=sys.argv[3:])
validate_config(config, need_reference_policy(config), need_critic(config))
print("daro:", "daro" in config.actor_rollout_ref, "engine:", config.actor_rollout_ref.actor.strategy)
"""


# The FSDP2 example with DARO is a whole job in tests/end_to_end/test_example.py.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "engine", "method", "daro"),
    [("verl_megatron_7b.sh", "megatron", "daro", True), ("verl_fsdp_4b.sh", "fsdp2", "grpo", False)],
)
def test_example_composes(tmp_path, script, engine, method, daro):
    compose = tmp_path / "compose"
    compose.write_text(COMPOSE.format(python=sys.executable))
    compose.chmod(0o755)
    env = {**os.environ, "PYTHON": str(compose), "METHOD": method, "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(["bash", EXAMPLES / script], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"daro: {daro} engine: {engine}" in done.stdout
