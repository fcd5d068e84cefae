"""Which prompt is which."""

import numpy as np
import pytest

from daro_verl.prompts.identity import prompt_id, prompt_ids, text_of

CHAT = [{"role": "user", "content": "1 + 1"}]


def test_a_prompt_has_the_same_number_in_every_job():
    """Written into checkpoints, so it must never change: blake2b of source, kind and name, 8 bytes."""
    assert prompt_id("math", CHAT, {}) == 1072994875202408367
    assert prompt_id("math", CHAT, {"key": "k1"}) == 1206098489881976337


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(("code", CHAT, {}), id="source"),
        pytest.param(("math", [{"role": "user", "content": "1 + 2"}], {}), id="text"),
        pytest.param(("math", [{"role": "system", "content": "1 + 1"}], {}), id="role"),
        pytest.param(("math", CHAT, {"id": "user: 1 + 1"}), id="an id that reads like the text"),
    ],
)
def test_others_have_other_numbers(other):
    assert prompt_id(*other) != prompt_id("math", CHAT, {})


def test_an_id_is_stable_where_the_text_changes_and_no_id_is_no_id():
    assert prompt_id("math", CHAT, {"id": 7}) == prompt_id("math", [], {"id": "7"})
    assert prompt_id("math", CHAT, {"key": "a", "id": 7}) == prompt_id("math", CHAT, {"key": "a", "id": 8})
    assert prompt_id("math", CHAT, {"id": "", "key": None}) == prompt_id("math", CHAT, None)


def test_a_picture_in_a_data_set_and_as_verl_sends_it():
    sent = [{"role": "user", "content": [{"type": "image", "image": object()}, {"type": "text", "text": "how many?"}]}]
    assert prompt_id("math", [{"role": "user", "content": "<image>how many?"}], {}) == prompt_id("math", sent, {})


def test_a_message_without_content_as_in_an_example_of_a_tools_call():
    call, named = {"role": "assistant", "content": None}, {"role": "assistant"}
    assert text_of([{"role": "user", "content": "2+2"}, call, named]) == "user: 2+2\nassistant: \nassistant: "


def test_the_rows_of_a_data_set():
    ids, sources = prompt_ids([{"data_source": "math", "prompt": CHAT}] * 2 + [{"prompt": CHAT}], "prompt")
    assert ids.dtype == np.uint64
    assert ids[0] == ids[1] == prompt_id("math", CHAT, None) != ids[2]
    assert sources == ["math", "math", "None"]
