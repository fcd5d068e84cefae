"""Does a model fit a layout? The rules in closed cases, on the sizes of the real models."""

import dataclasses
import json

import pytest

from daro_verl.cli import main
from daro_verl.toolkit.models.layout import Layout, check_layout
from daro_verl.toolkit.models.shape import Shape, read_shape
from tests.toolkit.models import tiny

MATH_1_5B = Shape(28, 12, 2, 1536, 8960, 151936, 16384, tied=True, tokenizer_limit=131072)
MATH_7B = Shape(28, 28, 4, 3584, 18944, 152064, 16384, tied=False, tokenizer_limit=131072)
LLAMA_8B = Shape(32, 32, 8, 4096, 14336, 128256, 131072, tied=False)
ODD = Shape(6, 6, 3, 48, 96, 100, 4096, tied=False)

FITS = {
    "1.5B": (MATH_1_5B, Layout(1, 1, 1, 1024, 8192)),
    "7B": (MATH_7B, Layout(2, 1, 2, 1024, 8192)),
    "7B, four stages": (MATH_7B, Layout(4, 4, 4, 1024, 15360)),
    "8B": (LLAMA_8B, Layout(8, 2, 8, 1024, 3072)),
}


@pytest.mark.parametrize(("shape", "layout"), FITS.values(), ids=FITS)
def test_layouts_that_fit(shape, layout):
    fit = check_layout(shape, layout)
    assert (fit.errors, fit.remarks) == ([], [])


ERRORS = {
    "heads by TP": (MATH_1_5B, Layout(tp=8), "--tp (Megatron): got 8, expected a divisor of 12 attention heads"),
    "heads by rollout TP": (MATH_7B, Layout(rollout_tp=8), "--rollout-tp (the rollout server): got 8"),
    "KV heads": (MATH_1_5B, Layout(tp=3), "expected a divisor or a multiple of 2 KV heads. Fix: --tp 1 or 2 or 4"),
    "layers by PP": (MATH_7B, Layout(pp=8), "expected a divisor of 28 layers. Fix: --pp 1 or 2 or 4 or 7"),
    "vocabulary by TP": (ODD, Layout(tp=3), "a divisor of the vocabulary 100: verl's mbridge does not pad it"),
    "padded vocabulary": (ODD, Layout(rollout_tp=3), "a divisor of 128, the vocabulary padded to 64"),
    "MLP": (dataclasses.replace(ODD, intermediate_size=98), Layout(tp=3), "a divisor of the MLP size 98"),
    "positions": (
        dataclasses.replace(MATH_7B, positions=4096),
        Layout(prompt=1024, response=3073),
        "got '1024 + 3073 = 4097 tokens', expected at most 4096, the max_position_embeddings",
    ),
    "tokenizer's limit": (
        dataclasses.replace(MATH_7B, tokenizer_limit=8192),
        Layout(prompt=1024, response=8192),
        "expected at most 8192, the model_max_length",
    ),
    "window": (dataclasses.replace(MATH_7B, window=4096), Layout(prompt=1024, response=8192), "the sliding_window"),
}


@pytest.mark.parametrize(("shape", "layout", "message"), ERRORS.values(), ids=ERRORS)
def test_layouts_that_do_not_fit(shape, layout, message):
    errors = check_layout(shape, layout).errors
    assert [message in error and "Fix:" in error for error in errors].count(True) == 1, errors


def test_exactly_the_limit_fits():
    assert check_layout(dataclasses.replace(MATH_7B, positions=4096), Layout(prompt=1024, response=3072)).errors == []


def test_kv_heads_are_repeated_where_tp_is_a_multiple():
    fit = check_layout(MATH_1_5B, Layout(tp=4, rollout_tp=1))
    assert fit.errors == []
    assert fit.remarks == ["--tp 4: each of the 2 KV heads is on 2 ranks"]


def test_tied_embeddings_over_stages_cost_a_copy():
    fit = check_layout(MATH_1_5B, Layout(pp=2))
    assert fit.errors == []
    assert "233 million parameters a rank" in fit.remarks[0]  # 151936 x 1536
    assert check_layout(MATH_7B, Layout(pp=2)).remarks == []


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Megatron, about kernels that a CPU has not
@pytest.mark.parametrize("tp", range(1, 13))
def test_the_rule_for_heads_is_megatrons_own(tp):
    """On every TP, ours and that of the installed Megatron agree."""
    from megatron.core.transformer import TransformerConfig

    sizes = {
        "num_layers": 4,
        "hidden_size": 48,
        "ffn_hidden_size": 96,
        "num_attention_heads": 12,
        "num_query_groups": 2,
    }
    try:
        TransformerConfig(tensor_model_parallel_size=tp, use_cpu_initialization=True, **sizes)
        accepted = True
    except ValueError:
        accepted = False
    shape = Shape(4, 12, 2, 48, 96, 12 * 11 * 5 * 7 * 64, 4096, tied=False)
    of_heads = [error for error in check_layout(shape, Layout(tp=tp)).errors if " heads" in error]
    assert (not of_heads) == accepted


def test_shape_of_a_directory(tmp_path):
    assert read_shape(tiny.qwen_math(tmp_path / "qwen")) == Shape(
        num_layers=4, num_heads=12, num_kv_heads=2, hidden_size=48, intermediate_size=96, vocab_size=264,
        positions=4096, tied=True, window=None, tokenizer_limit=131072, eos_ids=frozenset({256}),
    )  # fmt: skip


def test_a_window_counts_only_if_it_is_used(tmp_path):
    assert read_shape(tiny.qwen_math(tmp_path / "qwen", use_sliding_window=True)).window == 4096


def check(directory, *arguments):
    return main(["models", "check", str(directory), "--prompt", "512", "--response", "1024", *arguments])


def test_the_command(tmp_path, capsys):
    model = tiny.qwen_math(tmp_path / "model")
    assert check(model, "--tp", "2", "--pp", "2", "--rollout-tp", "2") == 0
    captured = capsys.readouterr()
    assert "4 layers, 12 heads, 2 KV heads" in captured.out and "tied embeddings" in captured.out
    assert check(model, "--tp", "5", "--pp", "3") == 2
    errors = capsys.readouterr().err
    assert "--tp (Megatron): got 5" in errors and "--pp (Megatron): got 3" in errors
    assert main(["models", "check", str(model)]) == 2
    assert "1024 + 8192 = 9216 tokens" in capsys.readouterr().err


def no_template(model):
    settings = json.loads((model / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    (model / "chat_template.jinja").unlink(missing_ok=True)


def broken_template(model):
    (model / "chat_template.jinja").write_text("{% if %}")


def deaf_template(model):
    (model / "chat_template.jinja").write_text("Hello.")


def no_eos(model):
    settings = json.loads((model / "tokenizer_config.json").read_text())
    (model / "tokenizer_config.json").write_text(json.dumps(settings | {"eos_token": None}))


def no_tokenizer(model):
    for file in model.glob("tokenizer*"):
        file.unlink()


def no_config(model):
    (model / "config.json").write_text('{"model')


def chatml(model, **tokens):
    """ChatML with the tokens of SmolLM2: the start token begins every turn."""
    settings = json.loads((model / "tokenizer_config.json").read_text())
    (model / "tokenizer_config.json").write_text(json.dumps(settings | {"bos_token": "<|im_start|>"} | tokens))


def doubled_start(model):
    chatml(model)
    (model / "chat_template.jinja").write_text("<|im_start|>" + tiny.CHATML)


def start_token_ends(model):
    """As transformers reads SmolLM2's GGUF: the end token from the id of the start token."""
    chatml(model, eos_token="<|im_start|>")


def test_a_start_token_that_begins_every_turn_is_right(tmp_path, capsys):
    model = tiny.qwen_math(tmp_path / "model")
    chatml(model, eos_token="<|im_end|>")
    assert check(model) == 0, capsys.readouterr().err


BROKEN = {
    "two start tokens": (doubled_start, "got '<|im_start|><|im_start|> in a prompt', expected one start token"),
    "an end token that begins turns": (
        start_token_ends,
        "eos_token: got '<|im_start|>', expected the token that ends a turn of its chat template, <|im_end|>",
    ),
    "no template": (no_template, "no chat template"),
    "broken template": (broken_template, "one that renders a system and a user message"),
    "template without messages": (deaf_template, "the messages in the prompt"),
    "no end token": (no_eos, "no eos_token"),
    "no tokenizer": (no_tokenizer, "one that spells a prompt"),
    "damaged config": (no_config, "readable JSON"),
}


@pytest.mark.parametrize(("damage", "message"), BROKEN.values(), ids=BROKEN)
def test_models_that_cannot_be_asked(tmp_path, capsys, damage, message):
    model = tiny.qwen_math(tmp_path / "model")
    damage(model)
    assert check(model) == 2
    assert message in capsys.readouterr().err
