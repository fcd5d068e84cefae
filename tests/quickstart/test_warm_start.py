"""Tokenizer, model and the supervised warm start, on a few steps."""

import json
import random

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from examples.quickstart.sums import warm_start as module
from examples.quickstart.sums.pass_rates import measure_pass_rates
from examples.quickstart.sums.task import draw_split
from examples.quickstart.sums.tokenizer_model import VOCAB_SIZE, build_model, build_tokenizer, encode_prompt
from examples.quickstart.task import GROUP_SIZE


def test_tokenizer_has_one_token_per_byte(tmp_path):
    build_tokenizer().save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    text = "3+8=\n12?11, é"
    assert len(tokenizer.encode(text)) == len(text.encode())
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer.encode("\n")) == 1


def test_prompt_opens_the_response():
    tokenizer = build_tokenizer()
    assert tokenizer.decode(encode_prompt(tokenizer, "3+8=")) == "<|im_start|>3+8=<|im_end|><|im_start|>"


def test_tensor_parallelism_of_two_can_split_the_model():
    config = build_model(build_tokenizer()).config
    for size in (VOCAB_SIZE, config.num_key_value_heads, config.num_attention_heads, config.intermediate_size):
        assert size % 2 == 0


def test_labels_cover_the_solution_and_its_end_only():
    tokenizer = build_tokenizer()
    tokens, labels = module.supervised_batch(tokenizer, random.Random(0), frozenset(), careless_share=0.0)
    is_label = labels != module.IGNORED
    assert torch.equal(tokens[is_label], labels[is_label])
    solution = tokenizer.decode(labels[0][is_label[0]])
    assert solution.endswith("<|im_end|>")
    assert "+" not in solution and "=" not in solution


def test_a_few_steps_reduce_the_loss():
    *_, losses = module.train(steps=12)
    assert losses[-1] < 0.7 * losses[0]


def test_warm_start_is_complete_and_cached(tmp_path, monkeypatch):
    report = module.warm_start(tmp_path / "model", steps=2, num_measured=4)
    assert sum(report["num_prompts_of_bin"]) == 4
    assert json.loads((tmp_path / "model" / module.REPORT).read_text()) == report
    AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    monkeypatch.setattr(module, "train", None)  # a second call must not train
    assert module.warm_start(tmp_path / "model") == report


def test_an_interrupted_warm_start_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "measure_pass_rates", interrupted)
    with pytest.raises(KeyboardInterrupt):
        module.warm_start(tmp_path / "model", steps=1)
    assert list(tmp_path.iterdir()) == []


def test_pass_rates_count_prompts_by_bin(monkeypatch):
    problems = draw_split(2, seed=0)  # of levels 2 and 3
    right, wrong = problems[0].answer, "0"
    responses = [right] * 3 + [wrong + "?0"] * 5 + [wrong] * GROUP_SIZE
    monkeypatch.setattr("examples.quickstart.sums.pass_rates.sample_responses", lambda *_: responses)
    report = measure_pass_rates(None, None, problems)
    assert report["pass_rate"] == 3 / 16
    assert report["pass_rate_of_level"] == {"2": 3 / 8, "3": 0.0}
    assert report["num_prompts_of_bin"] == [1, 0, 0, 1, 0, 0, 0, 0, 0]
    assert report["length_right"] == len(right)
    assert report["length_wrong"] == pytest.approx((5 * 3 + 8 * 1) / 13)
