"""The plugin on a copy of verl that has the places which it proposes: it uses them, and its hooks stay off."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.unit.test_compatibility import CHANGES
from upstream.contribution import contributions
from upstream.copies import Copy

pytestmark = pytest.mark.slow  # each test starts a process that imports a verl of its own
ROOT = Path(__file__).parents[2]
PLACES = ("actor_worker_class", "estimator_columns", "honor_checkpoint_manager_class", "outputs_of_a_session")
MENDED = ("cpu_process_group", "fsdp2_saved_copy", "megatron_float32", "weight_receiver_copy")


@pytest.fixture(scope="module")
def patched(tmp_path_factory) -> Copy:
    copy = Copy.of_package(Path(find_spec("verl").origin).parent, tmp_path_factory.mktemp("patched"))
    for contribution in contributions(PLACES + MENDED):
        assert copy.apply(contribution) == ""
    return copy


def run(copy: Copy, code: str, plugins: str = "auto"):
    """What the code prints last, as JSON."""
    env = {**os.environ, "PYTHONPATH": f"{copy.root}{os.pathsep}{ROOT}", "VERL_USE_EXTERNAL_PLUGINS": plugins}
    done = subprocess.run([sys.executable, "-c", code], cwd=copy.root, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def seen(patched) -> list:
    """What the three jobs below print, one after another in one process."""
    parts = [part.replace("\nprint(json.dumps(", "\nfound.append((") for part in (CLASSES, COLUMNS, SESSIONS)]
    return run(patched, "\n".join(["import json", "found = []", *parts, "print(json.dumps(found))"]))


def test_hooks_stay_off_where_verl_has_the_place(patched):
    changed = run(patched, CHANGES, plugins="none")
    assert set(changed) == {
        "validate_config",
        "run_ppo",
        "ActorRolloutRefWorker.difficulty_snapshot",
        "compute_advantage_for_multi_trajectories",
        "create_rl_sampler",
        "LLMServerManager.rollout_replica_class",
    }


CLASSES = """
import json
from types import SimpleNamespace
from unittest.mock import patch

from tests.unit.jobs import compose_job
from verl.checkpoint_engine.base import CheckpointEngineManager, get_checkpoint_manager_class
from verl.trainer.ppo.ray_trainer import compute_advantage
from verl.utils.config import omega_conf_to_dataclass, validate_config
from verl.workers.engine_workers import ActorRolloutRefWorker, TrainingWorker

job = compose_job("actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=1")
for _ in range(2):  # entry points validate more than once
    validate_config(job, False, False)
manager = get_checkpoint_manager_class(job.actor_rollout_ref.rollout)

from daro_verl.rollout.exchange import DifficultyExchange
from daro_verl.workers.actor_worker import DaroActorWorker

given = {}
with patch.object(DaroActorWorker, "__init__", lambda self, config, daro: given.update(daro)):
    actor_config = omega_conf_to_dataclass(job.actor_rollout_ref.actor)
    actor = ActorRolloutRefWorker._build_actor(SimpleNamespace(actor_worker_cls=TrainingWorker), actor_config, None)
print(json.dumps({
    "manager_bases": [issubclass(manager, base) for base in (DifficultyExchange, CheckpointEngineManager)],
    "plain_manager": issubclass(CheckpointEngineManager, DifficultyExchange),
    "actor": type(actor).__name__,
    "num_rollouts": given["num_rollouts"],
    "weighting": given["options"]["weighting"],
}))
"""


def test_a_prepared_job_names_its_classes_where_verl_reads_them(seen):
    assert seen[0] == {
        "manager_bases": [True, True],
        "plain_manager": False,
        "actor": "DaroActorWorker",
        "num_rollouts": 8,
        "weighting": "learned",
    }


COLUMNS = """
import json
import numpy as np
import torch
from tensordict import TensorDict

from tests.unit.jobs import compose_job
from verl.protocol import DataProto
from verl.trainer.ppo.ray_trainer import compute_advantage
from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories
from verl.utils.config import validate_config

from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.mini_batch import MiniBatch, Ranks

job = compose_job("actor_rollout_ref.rollout.n=4")
validate_config(job, False, False)
mask = torch.ones(4, 3, dtype=torch.long)
rewards = torch.zeros(4, 3)
rewards[0, 2] = 1.0


def batch():
    uid = np.array(["a"] * 4, dtype=object)
    return DataProto.from_dict({"token_level_rewards": rewards, "response_mask": mask}, {"uid": uid})


arguments = dict(adv_estimator="daro", config=job.algorithm)
keys = [f"a_{row}_0" for row in range(4)]
seen = []
for data in (
    compute_advantage(batch(), **arguments),
    compute_advantage_for_multi_trajectories(batch(), batch_keys=keys, **arguments),
):
    assert torch.equal(data.batch["returns"], data.batch["advantages"])
    weights = DifficultyWeights(4, job.actor_rollout_ref.daro.options, 100)
    mini_batch = MiniBatch(TensorDict(dict(data.batch), [4]), weights, Ranks(None, True, 0, "cpu"))
    seen.append(mini_batch.tokens.tolist())
print(json.dumps(seen))
"""


def test_pass_rates_reach_the_workers_in_a_column_of_their_own(seen):
    in_bin_one = [0.0, 12.0, 0.0, 0.0, 0.0]
    assert seen[1] == [in_bin_one, in_bin_one]


SESSIONS = """
import json
from unittest.mock import patch

import numpy as np
import torch

from tests.unit.jobs import compose_job
from verl.protocol import DataProto
from verl.trainer.ppo.v1 import utils
from verl.utils.config import validate_config

from daro_verl.advantage import in_verl

job = compose_job("actor_rollout_ref.rollout.n=4")
validate_config(job, False, False)
keys = ["a_0_0", "a_0_1", "a_1_0", "a_2_0", "a_3_0", "a_3_1"]  # two sessions of two outputs; the first one is solved


def computed(last_has_tokens):
    mask, rewards = torch.ones(6, 3, dtype=torch.long), torch.zeros(6, 3)
    rewards[:2, 2], mask[5] = 1.0, int(last_has_tokens)
    uid = np.array(["a"] * 6, dtype=object)
    data = DataProto.from_dict({"token_level_rewards": rewards, "response_mask": mask}, {"uid": uid})
    with patch.object(in_verl, "estimate_advantage_of_outputs", wraps=in_verl.estimate_advantage_of_outputs) as own:
        data = utils.compute_advantage_for_multi_trajectories(
            data, batch_keys=keys, adv_estimator="daro", config=job.algorithm
        )
    return own.called, data.batch["daro_pass_rate"][:, 0].tolist(), data.batch["advantages"][:, 0].tolist()


print(json.dumps([computed(True), computed(False)]))
"""


def test_verl_counts_sessions_but_those_whose_last_output_has_no_tokens(seen):
    """One session of four is solved: mu = 1/4, marked by the sign of a success; A = r - mu = 3/4 and -1/4."""
    by_verl, by_daro = seen[2]
    assert by_verl == [False, [0.25, 0.25, -0.25, -0.25, -0.25, -0.25], [0.75, 0.75, -0.25, -0.25, -0.25, -0.25]]
    assert by_daro == [True, [0.25, 0.25, -0.25, -0.25, -0.25, 0.0], [0.75, 0.75, -0.25, -0.25, -0.25, 0.0]]


BRIDGES = """
import json
import os

os.environ["VERL_PLATFORM"] = "cpu"
import verl.utils.distributed
import verl.utils.fsdp_utils
import verl.workers.config.engine as engine
import verl.workers.rollout.vllm_rollout.bucketed_weight_transfer as transfer
from daro_verl.platform import bridges

bridged = [
    verl.utils.fsdp_utils.fsdp2_sharded_save_to_cpu,
    engine.McoreEngineConfig.__post_init__,
    transfer.BucketedWeightReceiver.receive_weights,
]
wrapped = [hasattr(function, "__wrapped__") for function in bridged]
print(json.dumps([*wrapped, verl.utils.distributed.get_device_name()]))
"""


def test_the_platform_leaves_alone_what_verl_has_mended(patched):
    assert run(patched, BRIDGES) == [False, False, False, "cpu"]


def test_the_platform_bridges_what_verl_has_not_mended(patched, tmp_path):
    plain = Copy.of_package(patched.original, tmp_path)
    assert run(plain, BRIDGES) == [True, True, True, "cuda"]


OWN_DARO = """
import json

from verl.trainer.ppo import core_algos

print(json.dumps(core_algos.get_adv_estimator_fn("daro").__module__))
"""


def test_a_verl_that_has_daro_keeps_it(patched, tmp_path):
    copy, (contribution,) = Copy.of_package(patched.original, tmp_path), contributions(["daro_in_core"])
    copy.add_new_files(contribution)
    assert copy.apply(contribution) == ""
    assert run(copy, OWN_DARO) == "verl.trainer.ppo.core_algos"
