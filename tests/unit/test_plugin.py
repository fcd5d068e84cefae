"""What loading the plugin costs, and what it leaves alone."""

import json
import os
import subprocess
import sys
from statistics import median

import pytest

pytestmark = pytest.mark.slow
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("VERL_")}


def python(code: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env={**CLEAN, **env}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_loading_costs_under_50_ms_of_the_processor_and_imports_nothing_heavy():
    code = """
import json, sys, time, verl
before = set(sys.modules)
start = time.process_time()
import daro_verl.plugin
print(json.dumps([1000 * (time.process_time() - start), sorted(set(sys.modules) - before)]))
"""
    runs = [json.loads(python(code, VERL_USE_EXTERNAL_PLUGINS="none").splitlines()[-1]) for _ in range(3)]
    assert median(ms for ms, _ in runs) < 50
    roots = {module.split(".")[0] for module in runs[0][1]}
    assert not roots & {"torch", "megatron", "vllm", "sglang", "ray", "transformers", "pandas", "hydra", "matplotlib"}
    assert not [module for module in runs[0][1] if module.startswith("verl.")]


def test_verl_loads_the_plugin_by_its_entry_point():
    out = python("import verl, sys; print('daro_verl.plugin' in sys.modules)")
    assert out.splitlines()[-1] == "True"


def test_a_job_without_daro_gets_verls_own_classes_and_functions():
    out = python(
        "import verl\n"
        "from verl.workers.engine_workers import ActorRolloutRefWorker, TrainingWorker\n"
        "from verl.trainer.ppo import core_algos\n"
        "from omegaconf import OmegaConf\n"
        "worker = object.__new__(ActorRolloutRefWorker)\n"
        "worker.config = OmegaConf.create({'actor': {'policy_loss': {'loss_mode': 'vanilla'}}})\n"
        "print(worker.actor_worker_cls is TrainingWorker, core_algos.agg_loss.__module__)"
    )
    assert out.splitlines()[-1] == "True verl.trainer.ppo.core_algos"


def test_an_unsupported_verl_is_told_and_refused_only_with_daro():
    code = """
import verl
verl.__version__ = "0.8.0"
import daro_verl.plugin
from tests.unit.jobs import compose_job
from verl.utils.config import validate_config
for estimator in ("grpo", "daro"):
    try:
        validate_config(compose_job(f"algorithm.adv_estimator={estimator}"), False, False)
        print("ran", estimator)
    except Exception as error:
        print("refused", estimator, type(error).__name__, error)
"""
    out = python(code, VERL_USE_EXTERNAL_PLUGINS="none")
    assert "daro-verl is off. verl: got '0.8.0', expected a version in" in out
    assert "ran grpo" in out
    assert "refused daro DaroVerlError verl: got '0.8.0'" in out


def test_loading_again_is_harmless():
    out = python(
        "import verl, importlib, daro_verl.plugin as plugin\n"
        "for _ in range(3): importlib.reload(plugin)\n"
        "import verl.workers.engine_workers as engine_workers\n"
        "from verl.trainer.ppo.core_algos import get_adv_estimator_fn\n"
        "print(get_adv_estimator_fn('daro').__name__, engine_workers.ActorRolloutRefWorker.actor_worker_cls.__name__)"
    )
    assert out.splitlines()[-1] == "_estimator TrainingWorker"
