"""``GET /daro`` and ``/metrics`` of the rollout servers of a running job, from inside one of its processes."""

import json
import urllib.error
import urllib.request
from itertools import product
from pathlib import Path

import ray
import torch

# The quickstart's reward, looking at every rollout server over HTTP while it serves, as an operator would.
QUICKSTART_REWARD = """
from examples.quickstart.sums import reward
from tests.end_to_end.watching import look_at_servers

def compute_score(*args, **kwargs):
    look_at_servers(__file__)
    return reward.compute_score(*args, **kwargs)
"""

_seen: set[tuple[int, int]] = set()


def look_at_servers(reward_file: str) -> float:
    """Add what each server answers to ``served.jsonl`` beside the reward, once per model that it serves; returns 0."""
    for engine, replica in product(("vllm", "sglang"), range(2)):
        try:
            server = ray.get_actor(f"{engine}_server_{replica}_0")
        except ValueError:
            continue
        host, port = ray.get(server.get_server_address.remote())
        try:
            answer = json.loads(_get(f"http://{host}:{port}/daro"))
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            continue  # servers of a class that DARO does not know
        if answer["serving"] and (replica, answer["global_step"]) not in _seen:
            _seen.add((replica, answer["global_step"]))
            page = _get(f"http://{host}:{port}/metrics").splitlines()
            gauges = [line for line in page if line.startswith("daro_")]
            engines_own = sum(line.startswith(f"{engine}:") for line in page)
            with (Path(reward_file).parent / "served.jsonl").open("a") as file:
                row = {"replica": replica, **answer, "gauges": gauges, "engines_own": engines_own}
                file.write(json.dumps(row) + "\n")
    return 0.0


def served(folder: Path) -> list[dict]:
    """The answers of a job, each once."""
    rows = {}
    for line in (folder / "served.jsonl").read_text().splitlines():
        row = json.loads(line)
        rows[row["replica"], row["global_step"]] = row
    return list(rows.values())


def assert_gauges_are(row: dict, num_rollouts: int) -> None:
    """The gauges of a row show the snapshot of the same row."""
    shown = row["snapshot"]
    assert f'daro_weight{{pass_rate="1of{num_rollouts}"}} {shown["weights"][0]}' in row["gauges"]
    assert f"daro_weight_version {float(shown['version'])}" in row["gauges"]
    assert f"daro_global_step {float(shown['global_step'])}" in row["gauges"]


def assert_weights_are(shown: dict, saved: dict) -> None:
    """A server's snapshot has the weights of a checkpoint's ``daro_weights.json``, to the last bit."""
    assert shown["version"] == saved["version"]
    assert shown["weights"] == torch.tensor(saved["log_weights"], dtype=torch.float64).exp().tolist()


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.read().decode()
