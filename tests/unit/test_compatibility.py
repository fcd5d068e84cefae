"""The signatures that daro-verl relies on: those of the installed verl, and what is said where one differs."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import verl

from daro_verl import seams
from daro_verl.compatibility import TRIED, check_signatures
from daro_verl.errors import DaroVerlError

INSTALLED = Path(verl.__path__[0])


def test_the_installed_verl_is_the_one_that_was_tried():
    check_signatures(INSTALLED)


@pytest.fixture
def copied(tmp_path) -> Path:
    """The modules of verl that are looked at, to be changed."""
    for module in TRIED:
        relative = Path(*module.split(".")[1:]).with_suffix(".py")
        (tmp_path / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(INSTALLED / relative, tmp_path / relative)
    check_signatures(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        pytest.param(
            "workers/engine_workers.py",
            "def save_checkpoint(self, local_path, hdfs_path=None, global_step=0, max_ckpt_to_keep=None):",
            "def save_checkpoint(self, local_path, global_step=0):",
            "engine_workers.TrainingWorker.save_checkpoint: got 'self local_path global_step', "
            "expected self local_path hdfs_path global_step max_ckpt_to_keep. Fix: pip install",
            id="other_parameters",
        ),
        pytest.param(
            "utils/config.py", "def validate_config(", "def check_config(", "got 'nothing of this name'", id="renamed"
        ),
    ],
)
def test_what_differs_is_told_as_got_and_expected(copied, file, old, new, message):
    source = (copied / file).read_text()
    assert old in source
    (copied / file).write_text(source.replace(old, new, 1))
    with pytest.raises(DaroVerlError) as refused:
        check_signatures(copied)
    assert message in str(refused.value)


def test_a_module_that_is_gone_is_told(copied):
    (copied / "checkpoint_engine" / "base.py").unlink()
    with pytest.raises(DaroVerlError, match="verl.checkpoint_engine.base.*got 'nothing of this name'"):
        check_signatures(copied)


def test_a_job_that_asks_for_daro_is_refused_and_no_other(monkeypatch):
    from verl.utils.config import validate_config

    from tests.unit.jobs import compose_job

    monkeypatch.setitem(TRIED, "verl.utils.config", {"validate_config": "config"})
    validate_config(compose_job("algorithm.adv_estimator=grpo"), False, False)
    with pytest.raises(DaroVerlError, match="validate_config: got 'config use_reference_policy use_critic'"):
        validate_config(compose_job(), False, False)


CHANGES = """
import importlib, json
from daro_verl import seams

def held(module):
    names = dict(vars(module))
    for owner in list(names.values()):
        if isinstance(owner, type) and owner.__module__ == module.__name__:
            names |= {f"{owner.__name__}.{name}": value for name, value in vars(owner).items()}
    return names

changed = []
for name, attach in seams.SEAMS.items():
    module = importlib.import_module(name)
    before = held(module)
    attach(module)
    changed += sorted(key for key, value in held(module).items() if before.get(key) is not value)
print(json.dumps(changed))
"""


@pytest.mark.slow
def test_the_table_lists_everything_that_the_hooks_change():
    """Attached one by one in a process of its own, and compared with what verl's modules and classes held before."""
    env = {**os.environ, "VERL_USE_EXTERNAL_PLUGINS": "none"}
    done = subprocess.run([sys.executable, "-c", CHANGES], env=env, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    changed = json.loads(done.stdout.splitlines()[-1])
    assert sorted(changed) == sorted(
        [
            "validate_config",
            "run_ppo",
            "ActorRolloutRefWorker.actor_worker_cls",
            "ActorRolloutRefWorker.difficulty_snapshot",
            "compute_advantage_for_multi_trajectories",
            "create_rl_sampler",
            "CheckpointEngineManager",
            "LLMServerManager.rollout_replica_class",
        ]
    )
    rows = [line for line in seams.__doc__.splitlines() if re.match(r"\d+\. ", line)]
    for name in changed:
        assert any(f".{name}``" in row for row in rows), name
    assert len(changed) + 1 == len(rows) <= 10  # and run_uvicorn, in a server's own process
