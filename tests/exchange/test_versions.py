"""The version of an answer reaches the output that verl's clients put together."""

import asyncio
from types import SimpleNamespace

import pytest
from verl.workers.rollout.llm_server import FullyAsyncLLMServerClient, LLMServerClient
from verl.workers.rollout.replica import TokenOutput


class Rollout(SimpleNamespace):
    """Servers that answer in turn, as the ``generate`` of verl's Ray actors does."""

    def remote(self, **_) -> asyncio.Future:
        version, stop_reason = self.answers.pop(0)
        fields = {"global_steps": version, **({} if version is None else {"daro_weight_version": version})}
        answer = asyncio.get_running_loop().create_future()
        answer.set_result(TokenOutput(token_ids=[1], log_probs=[0.0], stop_reason=stop_reason, extra_fields=fields))
        return answer


def output_of(client_class: type, *answers: tuple[int | None, str], monkeypatch) -> dict:
    config = SimpleNamespace(actor_rollout_ref=SimpleNamespace(rollout=SimpleNamespace(name="vllm")))
    client = client_class(config)
    server = SimpleNamespace(generate=Rollout(answers=list(answers)))

    async def acquire(*_, **__):
        return "server", server

    async def no_pause(_):
        return None

    monkeypatch.setattr(client, "_acquire_server", acquire)
    monkeypatch.setattr(client, "_release_server", lambda *_, **__: None)
    monkeypatch.setattr("verl.workers.rollout.llm_server.asyncio.sleep", no_pause)
    return asyncio.run(client.generate("id", prompt_ids=[1], sampling_params={})).extra_fields


@pytest.mark.parametrize("client_class", [LLMServerClient, FullyAsyncLLMServerClient])
def test_a_response_of_one_answer(client_class, monkeypatch):
    assert output_of(client_class, (5, "completed"), monkeypatch=monkeypatch)["daro_weight_version"] == 5


def test_a_response_that_was_interrupted_has_the_version_of_its_last_token(monkeypatch):
    fields = output_of(
        FullyAsyncLLMServerClient, (5, "aborted"), (6, "aborted"), (7, "completed"), monkeypatch=monkeypatch
    )
    assert fields["daro_weight_version"] == 7
    assert (fields["min_global_steps"], fields["max_global_steps"]) == (5, 7)


@pytest.mark.parametrize("client_class", [LLMServerClient, FullyAsyncLLMServerClient])
def test_plain_servers_leave_no_trace(client_class, monkeypatch):
    assert "daro_weight_version" not in output_of(client_class, (None, "completed"), monkeypatch=monkeypatch)
