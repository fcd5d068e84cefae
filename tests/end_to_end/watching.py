"""``GET /daro`` and ``/metrics`` of the rollout servers of a running job, from inside one of its processes."""

import json
import urllib.request
from itertools import product
from pathlib import Path

import ray

_seen: set[tuple[str, int]] = set()


def look_at_servers(reward_file: str) -> float:
    """Add what each server answers to ``served.jsonl`` beside the reward, once per model that it serves; returns 0."""
    for engine, replica in product(("vllm", "sglang"), range(2)):
        try:
            server = ray.get_actor(f"{engine}_server_{replica}_0")
        except ValueError:
            continue
        host, port = ray.get(server.get_server_address.remote())
        answer = json.loads(_get(f"http://{host}:{port}/daro"))
        if answer["snapshot"] is not None and (replica, answer["global_step"]) not in _seen:
            _seen.add((replica, answer["global_step"]))
            gauges = [line for line in _get(f"http://{host}:{port}/metrics").splitlines() if line.startswith("daro_")]
            with (Path(reward_file).parent / "served.jsonl").open("a") as file:
                file.write(json.dumps({"replica": replica, **answer, "gauges": gauges}) + "\n")
    return 0.0


def served(folder: Path) -> list[dict]:
    """The answers of a job, each once."""
    rows = {}
    for line in (folder / "served.jsonl").read_text().splitlines():
        row = json.loads(line)
        rows[row["replica"], row["global_step"]] = row
    return list(rows.values())


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.read().decode()
