"""Which classes a prepared job names, in verls with and without the official places."""

import pytest
from omegaconf import OmegaConf

from daro_verl.errors import DaroVerlError
from daro_verl.official import MANAGER, WORKER, name_classes, pass_rate_column


@pytest.fixture
def verl_folder(tmp_path):
    """A verl with both places, as far as its source says."""
    (tmp_path / "workers" / "config").mkdir(parents=True)
    (tmp_path / "workers" / "config" / "actor.py").write_text("class ActorConfig:\n    worker_class = None\n")
    (tmp_path / "checkpoint_engine").mkdir()
    (tmp_path / "checkpoint_engine" / "base.py").write_text("def get_checkpoint_manager_class(rollout_config): ...\n")
    return tmp_path


def job(actor, rollout):
    return OmegaConf.create({"actor_rollout_ref": {"actor": actor, "rollout": rollout, "daro": {"num_rollouts": 4}}})


def named(config, verl_folder):
    name_classes(config, verl_folder)
    return OmegaConf.to_container(config.actor_rollout_ref)


def test_the_trainer_must_hand_on_the_column(monkeypatch):
    assert pass_rate_column({"returns"}) == "returns"
    monkeypatch.setattr("verl.trainer.ppo.core_algos.AdvantageOutput", tuple, raising=False)
    assert pass_rate_column({"returns", "daro_pass_rate"}) == "daro_pass_rate"
    with pytest.raises(DaroVerlError, match="columns of the mini-batch: got .'returns'., expected daro_pass_rate"):
        pass_rate_column({"returns"})


def test_places_are_filled_in(verl_folder):
    assert named(job({}, {}), verl_folder) == named(job({"worker_class": None, "worker_kwargs": {}}, {}), verl_folder)
    seen = named(job({}, {}), verl_folder)
    assert seen["actor"] == {"worker_class": WORKER, "worker_kwargs": {"daro": {"num_rollouts": 4}}}
    assert seen["rollout"] == {"checkpoint_manager_class": MANAGER}


def test_a_verl_without_them_is_left_alone(tmp_path):
    seen = named(job({"strategy": "megatron"}, {"n": 4}), tmp_path)
    assert (seen["actor"], seen["rollout"]) == ({"strategy": "megatron"}, {"n": 4})


def test_classes_of_the_job_stay_and_are_told(verl_folder, caplog):
    own = job({"worker_class": "my.Worker", "worker_kwargs": {"a": 1}}, {"checkpoint_manager_class": "my.Manager"})
    seen = named(own, verl_folder)
    assert seen["actor"] == {"worker_class": "my.Worker", "worker_kwargs": {"a": 1, "daro": {"num_rollouts": 4}}}
    assert seen["rollout"] == {"checkpoint_manager_class": "my.Manager"}
    assert f"unless your actor.worker_class inherits from {WORKER}" in caplog.text
    assert f"unless your rollout.checkpoint_manager_class inherits from {MANAGER}" in caplog.text
