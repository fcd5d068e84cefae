"""The mixin on a stand-in server with a real HTTP interface: what it answers, and that nothing can be written."""

import ast
import asyncio
import math
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from verl.workers import rollout
from verl.workers.rollout.utils import run_uvicorn

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


async def _life_of_a_server() -> None:
    server = Server()
    await server.launch_server()
    assert Server.engine_module.run_uvicorn is run_uvicorn  # replaced for the time of the launch only
    host, port = await server.get_server_address()
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
        assert (await client.get("/daro")).json() == {"global_step": None, "snapshot": None, "age_seconds": None}

        await server.set_global_steps(3)
        receipt = await server.receive_difficulty(snapshot(3).to_bytes())
        assert receipt.digest == snapshot(3).digest()
        answer = (await client.get("/daro")).json()
        assert answer["global_step"] == 3 and answer["age_seconds"] < 60
        assert tuple(answer["snapshot"]["weights"]) == snapshot(3).weights  # to the last bit, through JSON

        shown = gauges((await client.get("/metrics/")).text)
        assert shown["daro_weight", "1of4"] == snapshot(3).weights[0]
        assert shown["daro_loss", "1of4"] == 0.25 and math.isnan(shown["daro_loss", "2of4"])
        assert shown["daro_token_share", "3of4"] == 0.5 and shown["daro_token_share", "0of4"] == 0
        assert shown["daro_weight_version", None] == 3 and shown["daro_global_step", None] == 3
        assert shown["daro_received_timestamp_seconds", None] > 1e9

        await server.set_global_steps(4)  # a new model, whose weights are on their way
        assert (await client.get("/daro")).json() == {"global_step": 4, "snapshot": None, "age_seconds": None}
        assert all(math.isnan(value) for value in gauges((await client.get("/metrics/")).text).values())

        await server.receive_difficulty(snapshot(4).to_bytes())
        for rest in (server.sleep, server.release_kv_cache):  # weights are discarded or replaced
            assert (await client.get("/daro")).json()["snapshot"]["version"] == 4
            await rest()
            assert server.asleep
            assert (await client.get("/daro")).json() == {"global_step": None, "snapshot": None, "age_seconds": None}
            assert all(math.isnan(value) for value in gauges((await client.get("/metrics/")).text).values())
            await server.set_global_steps(4)
        await server.sleep()

        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert (await client.request(method, "/daro", content=snapshot(9).to_bytes())).status_code == 405
        assert (await client.get("/daro")).json()["snapshot"] is None
    server._task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await server._task
