"""What CHECKPOINT means, and that a conversion is done once."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from transformers import AutoModelForCausalLM

from daro_verl.errors import DaroDataError
from daro_verl.toolkit.evaluation import convert
from daro_verl.toolkit.evaluation.checkpoint import SavedModel, find_weights
from daro_verl.toolkit.models import rotary
from daro_verl.toolkit.recipes import tiny_model


@pytest.fixture
def trainer(model, tmp_path):
    """``trainer.default_local_dir`` with two checkpoints, as verl saves Megatron actors with a bridge."""
    for step in (5, 10):
        shutil.copytree(model, tmp_path / f"global_step_{step}" / "actor" / "model" / "huggingface")
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("10")
    return tmp_path


def test_megatron_with_a_bridge_needs_no_conversion(trainer):
    for path, step in ((trainer, 10), (trainer / "global_step_5", 5), (trainer / "global_step_5" / "actor", 5)):
        expected = trainer / f"global_step_{step}" / "actor" / "model" / "huggingface"
        assert find_weights(str(path)) == SavedModel("hf", expected)


def test_a_model_directory_is_itself(model):
    assert find_weights(str(model)) == SavedModel("hf", model)


def fsdp(folder, world_size=2, missing=()):
    folder.mkdir(parents=True)
    (folder / "fsdp_config.json").write_text(json.dumps({"FSDP_version": 2, "world_size": world_size}))
    for rank in set(range(world_size)) - set(missing):
        (folder / f"model_world_size_{world_size}_rank_{rank}.pt").write_bytes(b"shard")
    return folder


def test_shards_are_found_and_missing_ones_are_named(tmp_path):
    assert find_weights(str(fsdp(tmp_path / "a" / "actor").parent)).kind == "fsdp"
    with pytest.raises(DaroDataError, match="1 of 2 shards, without model_world_size_2_rank_1.pt"):
        find_weights(str(fsdp(tmp_path / "b", missing=[1])))


def test_megatron_shards_need_a_configuration(tmp_path):
    (tmp_path / "model" / "dist_ckpt").mkdir(parents=True)
    (tmp_path / "model" / "dist_ckpt" / "common.pt").touch()
    with pytest.raises(DaroDataError, match="copy config.json and the tokenizer"):
        find_weights(str(tmp_path))
    (tmp_path / "model" / "huggingface").mkdir()
    (tmp_path / "model" / "huggingface" / "config.json").write_text("{}")
    assert find_weights(str(tmp_path)).kind == "megatron"


@pytest.mark.parametrize("adapter", ["lora_train_meta.json", "model/huggingface/adapter"])
def test_an_adapter_is_not_left_out_silently(trainer, adapter):
    path = trainer / "global_step_10" / "actor" / adapter
    path.mkdir()
    with pytest.raises(DaroDataError, match="LoRA.*merge_and_unload"):
        find_weights(str(trainer))


@pytest.mark.parametrize("name", ["", "none/at/all"])
def test_anything_else_is_refused(tmp_path, name):
    with pytest.raises(DaroDataError, match="expected.*Fix:"):
        find_weights(str(tmp_path / name))


@pytest.fixture
def merger(model, monkeypatch):
    """Stands for verl's merger: copies the model, and counts its calls."""
    calls = []

    def run(command, **_):
        calls.append(command)
        shutil.copytree(model, command[command.index("--target_dir") + 1])
        return subprocess.CompletedProcess(command, 0, "")

    monkeypatch.setattr(convert.subprocess, "run", run)
    return calls


def test_shards_are_converted_once_and_again_if_they_change(tmp_path, merger):
    weights = find_weights(str(fsdp(tmp_path / "actor")))
    target = convert.as_model(weights)
    assert target == tmp_path / "actor_huggingface" and (target / "model.safetensors").exists()
    assert convert.as_model(weights) == target and len(merger) == 1
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["actor", "actor_huggingface"]
    (tmp_path / "actor" / "model_world_size_2_rank_0.pt").write_bytes(b"trained on")
    assert convert.as_model(weights) == target and len(merger) == 2


def test_two_evaluations_of_one_checkpoint_convert_it_once(tmp_path, merger):
    """The second waits for the first, and takes its result; what a killed conversion left goes away."""
    weights = find_weights(str(fsdp(tmp_path / "actor")))
    (tmp_path / ".actor_huggingface.partial").mkdir()
    with ThreadPoolExecutor(2) as threads:
        targets = list(threads.map(convert.as_model, [weights] * 2))
    assert len(set(targets)) == len(merger) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"actor", "actor_huggingface", ".actor_huggingface.lock"}


def test_a_finished_conversion_needs_no_lock(tmp_path, merger, monkeypatch):
    """Of a colleague, on a disk that this user cannot write."""
    weights = find_weights(str(fsdp(tmp_path / "actor")))
    target = convert.as_model(weights)

    def refuse(path):
        raise PermissionError(path)

    monkeypatch.setattr(convert, "FileLock", refuse)
    assert convert.as_model(weights) == target


def test_files_of_others_are_not_replaced(tmp_path, merger):
    (tmp_path / "actor_huggingface").mkdir()
    with pytest.raises(DaroDataError, match="files of another program"):
        convert.as_model(find_weights(str(fsdp(tmp_path / "actor"))))


def test_a_failed_conversion_shows_why_and_leaves_nothing(tmp_path, monkeypatch):
    failing = [sys.executable, "-c", "print('out of disk'); raise SystemExit(1)"]
    real = subprocess.run
    monkeypatch.setattr(convert.subprocess, "run", lambda command, **options: real(failing, **options))
    with pytest.raises(DaroDataError, match="out of disk.*Fix: run it by hand"):
        convert.as_model(find_weights(str(fsdp(tmp_path / "actor"))))
    assert {path.name for path in tmp_path.iterdir()} == {"actor", ".actor_huggingface.lock"}


ROPE = {
    "llama8b": {
        "rope_theta": 500000.0,
        "rope_scaling": {
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    },
    "qwen2.5_math_7b": {"rope_theta": 40000.0},
}  # fmt: skip


@pytest.fixture(params=ROPE)
def saved(request, tmp_path):
    """What verl saves with transformers 5: a model as ``SMOKE=1`` makes it, of random weights."""
    tokenizer = tiny_model._tokenizer(request.param)
    torch.manual_seed(0)
    model = tiny_model._model(request.param, tokenizer)
    model.config.rope_parameters["rope_theta"] = ROPE[request.param]["rope_theta"]
    directory = tmp_path / "actor" / "model" / "huggingface"
    for part in (model, tokenizer):
        part.save_pretrained(directory)
    return directory, ROPE[request.param]


def log_probs(directory):
    """Of 300 tokens: enough for the embeddings' base to show."""
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    tokens = torch.arange(300)[None] * 37 % 256
    with torch.no_grad():
        return model(tokens).logits.log_softmax(-1)


def as_transformers_4(directory, to):
    """The directory without the key that transformers 4 does not know: transformers 5 then reads the older ones."""
    shutil.copytree(directory, to)
    config = json.loads((to / "config.json").read_text())
    del config["rope_parameters"]
    (to / "config.json").write_text(json.dumps(config))
    return to


def test_an_evaluated_checkpoint_is_the_same_model_under_either_transformers(saved, tmp_path):
    directory, expected = saved
    before, blind = log_probs(directory), log_probs(as_transformers_4(directory, tmp_path / "blind"))
    assert convert.as_model(find_weights(str(tmp_path / "actor"))) == directory
    written = json.loads((directory / "config.json").read_text())
    assert {key: written.get(key) for key in ("rope_theta", *expected)} == expected
    assert written["rope_parameters"]["rope_theta"] == expected["rope_theta"]
    assert torch.equal(log_probs(directory), before)
    assert torch.equal(log_probs(as_transformers_4(directory, tmp_path / "four")), before)
    assert (blind - before).abs().max() > 1e-3  # without the older keys it is another model


def test_a_converted_checkpoint_has_both_forms_and_a_model_of_others_is_not_touched(tmp_path, saved, monkeypatch):
    directory, expected = saved
    theirs = directory.rename(tmp_path / "theirs")
    before = (theirs / "config.json").read_bytes()

    def merge(command, **_):
        shutil.copytree(theirs, command[command.index("--target_dir") + 1])
        return subprocess.CompletedProcess(command, 0, "")

    monkeypatch.setattr(convert.subprocess, "run", merge)
    assert convert.as_model(find_weights(str(theirs))) == theirs
    assert (theirs / "config.json").read_bytes() == before
    target = convert.as_model(find_weights(str(fsdp(tmp_path / "other" / "actor"))))
    assert json.loads((target / "config.json").read_text()).items() >= expected.items()


def test_a_checkpoint_that_cannot_be_written_is_evaluated_as_it_is(saved, monkeypatch, caplog):
    def fail(*_):
        raise PermissionError("read-only")

    monkeypatch.setattr(rotary, "write_atomically", fail)
    assert convert.as_model(find_weights(str(saved[0].parents[1]))) == saved[0]
    assert "has no rope_theta" in caplog.text
