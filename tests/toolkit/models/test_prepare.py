"""Preparing a model: what is rewritten, what is linked, and what is left alone."""

import json
import os

import pytest
from transformers import AutoConfig, AutoTokenizer

from daro_verl.cli import main
from daro_verl.errors import DaroDataError
from daro_verl.toolkit.models import prepare as module
from daro_verl.toolkit.models.directory import MANIFEST
from daro_verl.toolkit.models.families import LLAMA_BASE, QWEN_MATH
from daro_verl.toolkit.models.prepare import prepare
from tests.toolkit.models import tiny

SHARD = "model-00001-of-00002.safetensors"


@pytest.fixture
def source(tmp_path):
    return tiny.qwen_math(tmp_path / "source")


@pytest.fixture
def destination(tmp_path):
    return tmp_path / "made" / "model"


def contents(directory):
    return {
        path.name: (path.lstat().st_mtime_ns, path.lstat().st_ino, path.read_bytes()) for path in directory.iterdir()
    }


def config_of(directory):
    return json.loads((directory / "config.json").read_text())


def test_positions_are_rewritten_on_disk_in_both_forms(source, destination):
    prepare(source, destination, QWEN_MATH)
    written = config_of(destination)
    assert (written["rope_theta"], written["max_position_embeddings"]) == (40000, 16384)
    assert written["rope_parameters"] == {"rope_type": "default", "rope_theta": 40000}
    read = AutoConfig.from_pretrained(destination)
    assert (read.rope_parameters["rope_theta"], read.max_position_embeddings) == (40000, 16384)
    unchanged = set(written) - {"rope_theta", "rope_parameters", "max_position_embeddings"}
    assert {key: written[key] for key in unchanged} == {key: tiny.QWEN_MATH[key] for key in unchanged}
    assert config_of(source) == tiny.QWEN_MATH


def test_weights_are_linked_and_the_rest_is_copied(source, destination):
    prepare(source, destination, QWEN_MATH)
    assert (destination / SHARD).is_symlink() and (destination / SHARD).resolve() == source / SHARD
    assert not (destination / "LICENSE").is_symlink()
    names = {path.name for path in source.iterdir()} - {".gitattributes"} | {MANIFEST}
    assert {path.name for path in destination.iterdir()} == names
    assert sorted(path.name for path in destination.parent.iterdir()) == ["model"]


def test_a_snapshot_of_the_hub_is_links_already(tmp_path, source, destination):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    source.rename(blobs)
    snapshot.mkdir()
    for blob in blobs.iterdir():
        (snapshot / blob.name).symlink_to(blob)
    prepare(snapshot, destination, QWEN_MATH)
    assert (destination / SHARD).readlink() == blobs / SHARD
    assert not (destination / "tokenizer.json").is_symlink()
    assert config_of(blobs) == tiny.QWEN_MATH


def test_transformers_5_writes_the_base_elsewhere(tmp_path, destination):
    source = tiny.qwen_math(tmp_path / "source")
    config = {key: value for key, value in tiny.QWEN_MATH.items() if key != "rope_theta"}
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": 10000.0}
    (source / "config.json").write_text(json.dumps(config))
    prepare(source, destination, QWEN_MATH)
    assert config_of(destination)["rope_parameters"] == {"rope_type": "default", "rope_theta": 40000}
    assert config_of(destination)["rope_theta"] == 40000


def test_a_second_run_changes_nothing(source, destination):
    first = prepare(source, destination, QWEN_MATH)
    before = contents(destination)
    again = prepare(source, destination, QWEN_MATH)
    assert (first["was_there"], again["was_there"]) == (False, True)
    assert contents(destination) == before


def test_a_prepared_model_can_be_prepared(source, destination, tmp_path):
    prepare(source, destination, QWEN_MATH)
    prepare(destination, tmp_path / "again", QWEN_MATH)
    assert config_of(tmp_path / "again") == config_of(destination)
    assert (tmp_path / "again" / SHARD).readlink() == source / SHARD  # not a link to a link


def edit_config(directory):
    (directory / "config.json").write_text("{}")


def cut_link(directory):
    (directory / SHARD).unlink()


def empty_manifest(directory):
    manifest = json.loads((directory / MANIFEST).read_text())
    (directory / MANIFEST).write_text(json.dumps(manifest | {"fingerprint": "of another version"}))


@pytest.mark.parametrize("damage", [edit_config, cut_link, empty_manifest])
def test_a_damaged_result_is_made_again(source, destination, damage):
    prepare(source, destination, QWEN_MATH)
    damage(destination)
    assert prepare(source, destination, QWEN_MATH)["was_there"] is False
    assert config_of(destination)["rope_theta"] == 40000
    assert (destination / SHARD).exists()
    assert prepare(source, destination, QWEN_MATH)["was_there"] is True


STEPS = ["_fill", "read_shape", "check_tokenizer"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("existed", [False, True], ids=["new", "over an older result"])
def test_an_interruption_leaves_what_was_there(source, destination, monkeypatch, step, existed):
    if existed:
        prepare(source, destination, module.Family("older", "qwen2"))
    before = contents(destination) if existed else None

    def interrupted(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, step, interrupted)
        prepare(source, destination, QWEN_MATH)
    assert (contents(destination) if existed else destination.exists() or None) == before
    assert prepare(source, destination, QWEN_MATH)["was_there"] is False
    assert sorted(path.name for path in destination.parent.iterdir()) == ["model"]


def test_what_a_kill_leaves_is_removed(source, destination):
    partial = destination.with_name(".model.partial")
    partial.mkdir(parents=True)
    (partial / MANIFEST).write_text('{"made_by": "daro_verl.models"}')
    (partial / "half").write_text("half a file")
    prepare(source, destination, QWEN_MATH)
    assert not partial.exists()


def foreign_directory(destination):
    destination.mkdir(parents=True)
    (destination / "precious").write_text("weights")


def foreign_file(destination):
    destination.parent.mkdir(parents=True)
    destination.write_text("weights")


def foreign_link(destination):
    destination.parent.mkdir(parents=True)
    destination.symlink_to(destination.parent)


def added_file(destination):
    prepare(destination.parents[1] / "source", destination, QWEN_MATH)
    (destination / "checkpoint.pt").write_text("weights")
    (destination / "config.json").write_text("{}")


def foreign_partial(destination):
    partial = destination.with_name(".model.partial")
    partial.mkdir(parents=True)
    (partial / "precious").write_text("weights")


def everything(directory):
    paths = sorted(directory.rglob("*"))
    return [(path, path.is_symlink() or path.is_dir() or path.read_text()) for path in paths]


@pytest.mark.parametrize("make", [foreign_directory, foreign_file, foreign_link, added_file, foreign_partial])
def test_what_others_made_is_left_alone(source, destination, make):
    make(destination)
    before = [
        (path, path.is_symlink() or path.is_dir() or path.read_text()) for path in sorted(destination.parent.rglob("*"))
    ]
    with pytest.raises(DaroDataError, match="Fix: "):
        prepare(source, destination, QWEN_MATH)
    after = [
        (path, path.is_symlink() or path.is_dir() or path.read_text()) for path in sorted(destination.parent.rglob("*"))
    ]
    assert after == before


@pytest.mark.parametrize("place", [".", "inside"])
def test_the_source_is_never_the_destination(source, place):
    with pytest.raises(DaroDataError, match="outside SRC"):
        prepare(source, source / place, QWEN_MATH)


REFUSED = {
    "another base": ({"rope_theta": 1000000.0}, "rope_theta: got 1000000.0, expected 10000 or 40000"),
    "scaled positions": ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "rope_scaling: got 'yarn'"),
    "sliding window": ({"use_sliding_window": True}, "sliding_window: got 4096, expected at least 16384"),
    "smaller vocabulary": ({"vocab_size": 258}, "tokenizer: got '259 tokens', expected at most 258"),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_models_that_the_recipe_is_not_for(tmp_path, destination, changes, message):
    source = tiny.qwen_math(tmp_path / "source", **changes)
    with pytest.raises(DaroDataError) as caught:
        prepare(source, destination, QWEN_MATH)
    assert message in str(caught.value)
    assert not destination.exists()


def test_an_unfinished_download_is_refused(source, destination):
    (source / SHARD).unlink()
    with pytest.raises(DaroDataError, match=f"without {SHARD}"):
        prepare(source, destination, QWEN_MATH)
    for file in source.glob("model*"):
        file.unlink()
    with pytest.raises(DaroDataError, match="no weights"):
        prepare(source, destination, QWEN_MATH)


def test_a_tokenizer_with_a_smaller_limit_is_raised_to_it(source, destination):
    settings = json.loads((source / "tokenizer_config.json").read_text())
    (source / "tokenizer_config.json").write_text(json.dumps(settings | {"model_max_length": 4096}))
    prepare(source, destination, QWEN_MATH)
    assert AutoTokenizer.from_pretrained(destination).model_max_length == 16384


def test_llama_gets_a_plain_chat_template(tmp_path, destination):
    source = tiny.llama(tmp_path / "source")
    (source / "chat_template.jinja").write_text("{{ 'of the source' }}")  # would win over tokenizer_config.json
    prepare(source, destination, LLAMA_BASE)
    made = AutoTokenizer.from_pretrained(destination)
    conversation = [{"role": "system", "content": "Reason."}, {"role": "user", "content": "1+1?"}]
    text = made.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
    assert text == "<|begin_of_text|>Reason.\n\nQuestion: 1+1?\nAnswer:"
    answered = [*conversation, {"role": "assistant", "content": "2"}]
    assert made.apply_chat_template(answered, tokenize=False).endswith("Answer: 2<|end_of_text|>\n")
    ids = made.apply_chat_template(conversation, add_generation_prompt=True, return_dict=False)
    assert ids.count(made.bos_token_id) == 1
    assert config_of(destination) == tiny.LLAMA  # its scaled positions stay


def test_the_command(source, destination, capsys):
    assert main(["models", "prepare", str(source), str(destination), "--positions", "8192"]) == 0
    out = capsys.readouterr().out
    assert "config.json: max_position_embeddings 4096 -> 8192" in out
    assert "ends a response with <|im_end|>, but generation stops at <|endoftext|>" in out
    assert "without a system message the chat template writes its own" in out
    assert main(["models", "prepare", str(source), str(destination), "--positions", "8192"]) == 0
    assert "was there already" in capsys.readouterr().out


COMMANDS = {
    "no such model": (["nowhere/at/all"], "a model's directory or a hub id"),
    "no such directory": (["./nowhere"], "a model's directory or a hub id"),
    "another recipe": (
        ["{llama}", "--recipe", "qwen2.5-math"],
        "model_type: got 'llama', expected a model of type qwen2",
    ),
    "an option of another recipe": (["{llama}", "--rope-theta", "40000"], "no such option"),
}


@pytest.mark.parametrize(("arguments", "message"), COMMANDS.values(), ids=COMMANDS)
def test_wrong_arguments(tmp_path, destination, capsys, arguments, message):
    llama = tiny.llama(tmp_path / "llama")
    name, *options = [argument.format(llama=llama) for argument in arguments]
    assert main(["models", "prepare", name, str(destination), *options]) == 2
    error = capsys.readouterr().err
    assert message in error and "Fix:" in error
    assert not destination.exists()


def test_a_hub_id_is_a_snapshot(source, destination, monkeypatch):
    import huggingface_hub

    asked = []

    def download(repository, revision, allow_patterns):
        asked.append((repository, revision))
        return os.fspath(source)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert main(["models", "prepare", "Qwen/Qwen2.5-Math-1.5B", str(destination), "--revision", "main"]) == 0
    assert asked == [("Qwen/Qwen2.5-Math-1.5B", "main")]


def test_a_failed_download_says_so(destination, monkeypatch, capsys):
    import huggingface_hub

    def download(*arguments, **settings):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert main(["models", "prepare", "Qwen/Qwen2.5-Math-1.5B", str(destination)]) == 2
    assert "OSError: no network" in capsys.readouterr().err


def test_a_template_of_its_own_is_replaced_only_by_name(tmp_path, capsys):
    """An Instruct model has the type of its base model, and was trained with its own template."""
    source = tiny.llama(tmp_path / "instruct")
    settings = json.loads((source / "tokenizer_config.json").read_text())
    (source / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": tiny.CHATML}))
    command = ["models", "prepare", str(source), str(tmp_path / "made")]
    assert main(command) == 2
    assert "instruct: chat template: got 'its own'" in capsys.readouterr().err and not (tmp_path / "made").exists()
    assert main([*command, "--recipe", "llama-base"]) == 0
    (source / "chat_template.jinja").write_text(LLAMA_BASE.chat_template)  # as transformers saves it; it wins
    assert main(["models", "prepare", str(source), str(tmp_path / "other")]) == 0
    (source / "chat_template.jinja").write_text(tiny.CHATML)
    assert main(["models", "prepare", str(source), str(tmp_path / "third")]) == 2
    assert main(["models", "prepare", str(tmp_path / "made"), str(tmp_path / "again")]) == 0  # has ours already
