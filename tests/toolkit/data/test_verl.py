"""The files in verl's own dataset: it reads them, filters them, and hands on what trainers and rewards use."""

import json

import pytest
from omegaconf import OmegaConf

from daro_verl.toolkit.data.build import build
from daro_verl.toolkit.data.dataset_spec import DatasetSpec
from daro_verl.toolkit.data.sources import SOURCES
from daro_verl.toolkit.data.sources.gym import parse_task, source
from examples.quickstart.sums.tokenizer_model import build_tokenizer
from tests.toolkit.data import raw


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of each kind: benchmarks, training with and without a system message, generated tasks."""
    pytest.importorskip("reasoning_gym")
    folder = tmp_path_factory.mktemp("data")
    local = {name: raw.write_jsonl(folder / f"{name}.jsonl", rows) for name, rows in raw.BENCHMARK_ROWS.items()}
    local["openr1"] = raw.write_jsonl(
        folder / "openr1.jsonl", [raw.openr1("Find $x$.", "1"), raw.openr1("a" * 900, "2")]
    )
    local["math"] = raw.write_jsonl(folder / "math.jsonl", [raw.math("Find $y$.", r"\boxed{2}")])
    benchmarks = tuple(SOURCES[name] for name in raw.BENCHMARK_ROWS)
    task = parse_task("chain_sum", 2, 0)
    jobs = {
        "test": DatasetSpec(
            benchmarks, folder / "test.parquet", "test", local={name: local[name] for name in raw.BENCHMARK_ROWS}
        ),
        "gym_test": DatasetSpec(
            (source(task, rollouts=4),), folder / "gym_test.parquet", "test", arguments="chain_sum"
        ),
        "openr1": DatasetSpec(
            (SOURCES["openr1"],), folder / "openr1.parquet", "train", local={"openr1": local["openr1"]}
        ),
        "math": DatasetSpec((SOURCES["math"],), folder / "math.parquet", "train", local={"math": local["math"]}),
        "gym": DatasetSpec((source(task),), folder / "gym.parquet", "train", arguments="chain_sum"),
    }
    for job in jobs.values():
        build(job, lambda text: None)
    return {name: str(job.out) for name, job in jobs.items()}


def dataset(files, tmp_path):
    from verl.utils.dataset.rl_dataset import RLHFDataset

    config = OmegaConf.create({"max_prompt_length": 500, "filter_overlong_prompts_workers": None})
    config.cache_dir = str(tmp_path)
    return RLHFDataset(data_files=files, tokenizer=build_tokenizer(), config=config)


def test_training_files_of_every_kind_together(files, tmp_path):
    rows = list(dataset([files["openr1"], files["math"], files["gym"]], tmp_path))
    assert [row["data_source"] for row in rows] == ["openr1", "math"] + 2 * ["reasoning_gym/chain_sum"]
    assert rows[0]["raw_prompt"][0] == {"role": "system", "content": raw.THINK}
    assert json.loads(rows[2]["extra_info"]["entry"])["answer"] == rows[2]["reward_model"]["ground_truth"]
    assert not any("__rollout_n__" in row for row in rows)


def test_validation_rows_say_how_many_responses_they_have(files, tmp_path):
    """As verl's V1 trainer reads it: int(batch["__rollout_n__"]) for the metrics, range() of it for the rollout."""
    from verl.utils import tensordict_utils
    from verl.utils.dataset.rl_dataset import collate_fn

    rows = dataset([files["test"], files["gym_test"]], tmp_path)
    columns = dict(tensordict_utils.get_tensordict(collate_fn(list(rows))).items())
    values = [columns["__rollout_n__"][position].data for position in range(len(rows))]
    assert [len(range(value)) for value in values] == [32, 32, 32, 1, 1, 1, 1, 4, 4]
