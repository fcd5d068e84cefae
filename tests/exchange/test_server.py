"""The mixin on a stand-in server with a real HTTP interface: what it answers, and that nothing can be written."""

import ast
import asyncio
import math
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from verl.workers import rollout
from verl.workers.rollout.utils import run_uvicorn

from daro_verl.rollout.gauges import SnapshotGauges
from tests.exchange.engine import Server
from tests.exchange.snapshots import snapshot


def gauges(page: str) -> dict[tuple[str, str | None], float]:
    families = text_string_to_metric_families(page)
    samples = (sample for family in families for sample in family.samples if sample.name.startswith("daro_"))
    return {(sample.name, sample.labels.get("pass_rate")): sample.value for sample in samples}


def test_a_server_over_its_life():
    asyncio.run(_life_of_a_server())


@pytest.mark.parametrize(
    "path, name",
    [
        ("vllm_rollout/vllm_async_server.py", "vLLMHttpServer"),
        ("sglang_rollout/async_sglang_server.py", "SGLangHttpServer"),
    ],
)
def test_verls_servers_have_the_methods_that_are_wrapped(path, name):
    """Read, not imported: the engines need not be installed."""
    module = ast.parse((Path(rollout.__file__).parent / path).read_text())
    (server,) = (node for node in module.body if isinstance(node, ast.ClassDef) and node.name == name)
    methods = {node.name: node for node in server.body if isinstance(node, ast.AsyncFunctionDef)}
    for method, given in {"sleep": [], "release_kv_cache": [], "set_global_steps": ["global_steps"]}.items():
        assert [argument.arg for argument in methods[method].args.args] == ["self", *given]
    assert "launch_server" in methods
    assert "run_uvicorn(app, " in ast.unparse(module)  # by its name in this module, the app first


async def assert_shows_what_it_serves_no_more(client, global_step, shown) -> None:
    """The last snapshot with its age, and gauges as they were but for ``daro_serving``."""
    answer = (await client.get("/daro")).json()
    version = int(shown["daro_weight_version", None])
    assert answer["global_step"] == global_step and answer["serving"] is False
    assert answer["snapshot"]["version"] == version and 0 <= answer["age_seconds"] < 60
    assert tuple(answer["snapshot"]["weights"]) == snapshot(version).weights
    now = gauges((await client.get("/metrics/")).text)
    assert now.pop(("daro_serving", None)) == 0
    assert now == pytest.approx({name: shown[name] for name in now}, nan_ok=True)


@pytest.fixture
def own_gauges(monkeypatch):
    """Another server in this process; in a job each has its process for itself."""
    monkeypatch.setattr("daro_verl.rollout.server.SnapshotGauges", lambda: SnapshotGauges(CollectorRegistry()))


KEYS = [["one", "two"], "one"]  # vLLM's argument is a list, SGLang's a string


@pytest.mark.parametrize("keys", KEYS)
def test_the_engines_api_key_guards_the_route(keys, own_gauges):
    asyncio.run(_guarded_server(keys))


def test_vllms_variable_counts_where_it_has_no_argument(monkeypatch, own_gauges):
    monkeypatch.setenv("VLLM_API_KEY", "one")
    asyncio.run(_guarded_server(None))


async def _guarded_server(keys) -> None:
    server = Server()
    server.server_args.api_key = keys
    await server.launch_server()
    host, port = await server.get_server_address()
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
        headers = [{}, {"Authorization": "Bearer other"}, {"Authorization": "one"}, {"Authorization": "Bearer \u00fc"}]
        for wrong in headers:
            refused = await client.get("/daro", headers={k: v.encode() for k, v in wrong.items()})
            assert refused.status_code == 401 and "snapshot" not in refused.text
        assert (await client.get("/daro", headers={"Authorization": "Bearer one"})).json()["snapshot"] is None
    server._task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await server._task


async def _life_of_a_server() -> None:
    server = Server()
    await server.launch_server()
    assert Server.engine_module.run_uvicorn is run_uvicorn  # replaced for the time of the launch only
    host, port = await server.get_server_address()
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
        nothing = {"global_step": None, "serving": False, "snapshot": None, "age_seconds": None}
        assert (await client.get("/daro")).json() == nothing
        shown = gauges((await client.get("/metrics/")).text)
        assert shown.pop(("daro_serving", None)) == 0 and all(math.isnan(value) for value in shown.values())

        await server.set_global_steps(3)
        receipt = await server.receive_difficulty(snapshot(3).to_bytes())
        assert receipt.digest == snapshot(3).digest()
        answer = (await client.get("/daro")).json()
        assert answer["global_step"] == 3 and answer["serving"] and answer["age_seconds"] < 60
        assert tuple(answer["snapshot"]["weights"]) == snapshot(3).weights  # to the last bit, through JSON

        shown = gauges((await client.get("/metrics/")).text)
        assert shown["daro_weight", "1of4"] == snapshot(3).weights[0]
        assert shown["daro_loss", "1of4"] == 0.25 and math.isnan(shown["daro_loss", "2of4"])
        assert shown["daro_token_share", "3of4"] == 0.5 and shown["daro_token_share", "0of4"] == 0
        assert shown["daro_weight_version", None] == 3 and shown["daro_global_step", None] == 3
        assert shown["daro_received_timestamp_seconds", None] > 1e9 and shown["daro_serving", None] == 1

        await server.set_global_steps(4)  # a new model, whose weights are on their way: the last ones, marked
        await assert_shows_what_it_serves_no_more(client, 4, shown)

        await server.receive_difficulty(snapshot(4).to_bytes())
        for rest in (server.sleep, server.release_kv_cache):  # weights are discarded or replaced
            answer = (await client.get("/daro")).json()
            assert answer["snapshot"]["version"] == 4 and answer["serving"]
            shown = gauges((await client.get("/metrics/")).text)
            await rest()
            assert server.asleep
            await assert_shows_what_it_serves_no_more(client, None, shown)
            await server.set_global_steps(4)
        await server.sleep()

        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert (await client.request(method, "/daro", content=snapshot(9).to_bytes())).status_code == 405
        assert (await client.get("/daro")).json()["snapshot"]["version"] == 4
    server._task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await server._task
