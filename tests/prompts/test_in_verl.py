"""The option ``prompts`` in a verl job: what is prepared and refused, verl's own data set and loader, checkpoints."""

from itertools import islice

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf
from torchdata.stateful_dataloader import StatefulDataLoader
from verl.trainer.ppo.checkpoint_callback import CheckpointCallback, build_checkpoint_callback
from verl.trainer.ppo.v1 import trainer_base
from verl.utils.config import validate_config
from verl.utils.dataset.rl_dataset import RLHFDataset

from daro_verl.config import DaroConfig
from daro_verl.errors import DaroCheckpointError, DaroConfigError, DaroDataError
from daro_verl.job import prepare_job
from daro_verl.prompts import memory_file
from daro_verl.prompts.job_memory import NEWEST_WEIGHTS, memory_of_job
from daro_verl.prompts.sampler import PromptSampler
from tests.unit.jobs import compose_job
from tests.unit.test_seams import EXPERIMENTAL, compose_experimental

NUM_PROMPTS = 40


class Tokenizer:
    """Stands in for a tokenizer where only the length of a prompt is asked."""

    def apply_chat_template(self, messages, **kwargs):
        return [0] * len(messages[0]["content"])


@pytest.fixture
def job(tmp_path):
    """A prepared job by its further overrides, with a data set of ``NUM_PROMPTS`` prompts, the first ten twice."""
    numbers = [*range(10), *range(NUM_PROMPTS - 10)]
    chats = [[{"role": "user", "content": f"{n}+{n}"}] for n in numbers]
    rows = {"data_source": ["sums"] * NUM_PROMPTS, "prompt": chats, "extra_info": [{"index": n} for n in numbers]}
    pd.DataFrame(rows).to_parquet(tmp_path / "train.parquet")

    def prepared(*overrides):
        config = compose_job(
            f"data.train_files={tmp_path / 'train.parquet'}",
            f"trainer.default_local_dir={tmp_path / 'checkpoints'}",
            "data.filter_overlong_prompts=False",
            "data.seed=3",
            *overrides,
        )
        for _ in range(2):  # a task runner may check it again
            validate_config(config=config, use_reference_policy=False, use_critic=False)
        return config

    return prepared


def sampler_of(config):
    """As verl's V1 trainers make it."""
    dataset = RLHFDataset(config.data.train_files, Tokenizer(), config.data)
    return trainer_base.create_rl_sampler(config.data, dataset)


def test_a_job_with_its_own_order_has_verls_sampler_and_a_memory(job):
    config = job()
    assert not isinstance(sampler_of(config), PromptSampler)
    assert config.data.dataloader_num_workers == compose_job().data.dataloader_num_workers
    assert config.trainer.checkpoint_callback_class == "daro_verl.prompts.in_verl.MemoryCheckpoint"
    assert config.trainer.v1.sampler.sampler_kwargs.daro.prompt_memory == config.algorithm.daro.prompt_memory


def test_informative_prompts_go_first(job, monkeypatch):
    """Half of the prompts were never solved in five visits, half by half of the responses: nearly all of the second are
    accepted (weight of all bins 1), few of the first. What was left out is told to the job."""
    monkeypatch.setattr(NEWEST_WEIGHTS, "weights", None)
    config = job("+algorithm.daro.prompts=informative")
    sampler = sampler_of(config)
    known = memory_of_job(config.data.daro.memory)
    ids = known.memory.prompts["id"]
    assert len(ids) == NUM_PROMPTS - 10  # duplicates share what is known
    for step in range(5):
        solved = np.where(np.arange(len(ids)) % 2, 4.0, 0.0)
        known.memory.observe(ids, ["sums"] * len(ids), solved, np.full(len(ids), 8.0), step)
    prompts = iter(sampler)
    drawn = list(islice(prompts, 300))
    rows = known.memory.rows(np.array([prompt_of(config, position) for position in drawn], dtype=np.uint64))
    assert (rows % 2).mean() > 0.8
    assert known.take_left_out() > 100


def prompt_of(config, position):
    from daro_verl.prompts.identity import prompt_ids

    table = pd.read_parquet(config.data.train_files)
    return prompt_ids(table.to_dict("records"), "prompt")[0][position]


def test_the_exchange_tells_the_newest_weights(job, monkeypatch):
    """They decide which of the informative prompts are accepted: with all the weight on bin 7 easy ones are."""
    config = job("+algorithm.daro.prompts=informative")
    sampler, known = sampler_of(config), memory_of_job(config.data.daro.memory)
    ids = known.memory.prompts["id"]
    solved = np.where(np.arange(len(ids)) % 2, 7.0, 1.0)
    for step in range(5):
        known.memory.observe(ids, ["sums"] * len(ids), solved, np.full(len(ids), 8.0), step)
    monkeypatch.setattr(NEWEST_WEIGHTS, "version", None)
    before = sampler.version()
    NEWEST_WEIGHTS.set((5, 1), [1e-3] * 6 + [1.0])
    assert sampler.version() != before
    chances = sampler.accept(np.arange(NUM_PROMPTS))
    rows = known.memory.rows(np.array([prompt_of(config, i) for i in range(NUM_PROMPTS)], dtype=np.uint64))
    assert chances[rows % 2 == 1].min() > 2 * chances[rows % 2 == 0].max()


def test_a_band(job):
    """Seen once, half solved: predicted at 0.5, within the band of the first job and not of the second."""
    chances = []
    for bounds in ("[0.4,0.6]", "[0.6,1]"):
        config = job("+algorithm.daro.prompts=band", f"+algorithm.daro.prompt_band={bounds}")
        sampler, known = sampler_of(config), memory_of_job(config.data.daro.memory)
        ids = known.memory.prompts["id"]
        if bounds == "[0.4,0.6]":  # the memory is the job's, and both jobs have the same folder
            assert (sampler.accept(np.arange(3)) == 1).all()  # never seen
            known.memory.observe(ids, ["sums"] * len(ids), np.full(len(ids), 4.0), np.full(len(ids), 8.0), 1)
        chances.append(sampler.accept(np.arange(3)).tolist())
    assert chances == [[1, 1, 1], [0.1, 0.1, 0.1]]


REFUSED = {
    "another trainer": (
        ["trainer.use_v1=False"],
        "the trainer: got 'trainer.use_v1=False', expected one of verl's V1 trainers: sync, colocate_async or",
    ),
    "a buffer of its own": (
        ["trainer.v1.sampler.custom_sampler.path=a.py", "trainer.v1.sampler.custom_sampler.name=Own"],
        "trainer.v1.sampler.custom_sampler.path: got 'a.py', expected none; DARO's own replay buffer",
    ),
    "scored too late": (
        ["reward.reward_model.enable=True", "reward.reward_model.enable_resource_pool=False"],
        "reward.reward_model.enable_resource_pool: got False, expected True; a colocated reward model",
    ),
    "in the data's order": (["data.shuffle=False"], "data.shuffle: got False, expected True"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_choose_prompts_is_refused_before_any_worker_starts(case, job):
    overrides, message = REFUSED[case]
    with pytest.raises(DaroConfigError) as refused:
        job("+algorithm.daro.prompts=informative", *overrides)
    assert message in str(refused.value)
    assert "set +algorithm.daro.prompts=uniform" in str(refused.value)
    job(*overrides)


def test_the_bounds_reach_the_workers(job):
    """As a node of the job's configuration."""
    config = job("+algorithm.daro.prompts=band", "+algorithm.daro.prompt_band=[0.2,0.7]")
    assert DaroConfig.from_mapping(config.actor_rollout_ref.daro.options).prompt_band == (0.2, 0.7)


@pytest.mark.parametrize("trainer", EXPERIMENTAL)
def test_the_experimental_trainers_refuse_it_by_name(trainer):
    with pytest.raises(DaroConfigError, match="the trainer: got 'one_step_off_policy or fully_async_policy'"):
        prepare_job(compose_experimental(trainer, "actor_rollout_ref.rollout.n=8", "+algorithm.daro.prompts=band"))


def test_separate_async_with_devices_of_its_servers_is_v1(job):
    config = job("trainer.v1.trainer_mode=separate_async", "+rollout.nnodes=1", "+algorithm.daro.prompts=informative")
    assert config.trainer.v1.sampler.custom_sampler.name == "DifficultyReplayBufferAsync"


@pytest.mark.parametrize("band", ["[0.5,0.5]", "[-0.1,0.5]", "[0.1,1.2]", "0.5", "[0.1,0.5,0.9]", "[a,b]"])
def test_a_band_is_two_bounds(band, job):
    with pytest.raises(
        DaroConfigError, match="algorithm.daro.prompt_band: got .*expected .low,high. with 0 <= low < high"
    ):
        job("+algorithm.daro.prompts=band", f"+algorithm.daro.prompt_band={band}")


def test_a_data_set_that_does_not_show_its_rows_is_refused(job):
    config = job("+algorithm.daro.prompts=informative")
    with pytest.raises(DaroDataError, match="the training data set: got 'list', expected verl's RLHFDataset"):
        trainer_base.create_rl_sampler(config.data, [1, 2, 3])


def test_a_data_set_whose_prompts_are_all_too_long_is_refused(job):
    config = job("+algorithm.daro.prompts=informative")
    rows = RLHFDataset(config.data.train_files, Tokenizer(), config.data)
    rows.dataframe = rows.dataframe.select([])
    with pytest.raises(DaroDataError, match="the training data set: got 'no prompt', expected at least one"):
        trainer_base.create_rl_sampler(config.data, rows)


def test_a_negative_seed_as_verls_own_sampler_takes_it(job):
    assert len(list(islice(sampler_of(job("+algorithm.daro.prompts=informative", "data.seed=-1")), 5))) == 5


def test_a_job_cannot_go_on_in_another_order_of_prompts(job, tmp_path):
    """Told before any worker starts; verl's loader would fail after all of them have."""
    config = job("+algorithm.daro.prompts=informative")
    rows = RLHFDataset(config.data.train_files, Tokenizer(), config.data)
    loader = StatefulDataLoader(rows, batch_size=4, sampler=sampler_of(config), collate_fn=list)
    next(iter(loader))
    folder = tmp_path / "checkpoints" / "global_step_2"
    folder.mkdir(parents=True)
    torch.save(loader.state_dict(), folder / "data.pt")
    (folder.parent / "latest_checkpointed_iteration.txt").write_text("2")
    (folder / "actor").mkdir()
    job("+algorithm.daro.prompts=band")
    with pytest.raises(DaroCheckpointError, match="got 'a place in the order of chosen prompts'.* or delete"):
        job()
    (folder / "data.pt").unlink()
    job()


class Own(CheckpointCallback):
    """A job's own callback."""

    saved: list[tuple] = []

    def on_save(self, trainer, global_step, checkpoint_dir, async_save=False, **kwargs):
        self.saved.append((trainer, global_step, checkpoint_dir, async_save, self.config.trainer.project_name))


def test_the_memory_is_saved_with_a_checkpoint_and_the_jobs_own_callback_is_called(job, tmp_path):
    config = job(f"trainer.checkpoint_callback_class={__name__}.Own", "trainer.project_name=mine")
    folder = tmp_path / "checkpoints" / "global_step_5"
    folder.mkdir(parents=True)
    known = memory_of_job(config.algorithm.daro.prompt_memory)
    known.memory.observe(np.array([4, 2]), ["a", "b"], np.array([1.0, 2.0]), np.array([8.0, 8.0]), 5)
    callback = build_checkpoint_callback(OmegaConf.create(OmegaConf.to_container(config)))
    callback.on_save(trainer="trainer", global_step=5, checkpoint_dir=str(folder), async_save=False)
    assert Own.saved == [("trainer", 5, str(folder), False, "mine")]
    memory, about = memory_file.read(folder / memory_file.FILE_NAME)
    assert memory.prompts["id"].tolist() == [2, 4]
    assert about["step"] == 5
    assert about["train_files"] == [str(tmp_path / "train.parquet")]
