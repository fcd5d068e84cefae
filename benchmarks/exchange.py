"""The cost of the exchange with the rollout servers for the trainer at a weight sync, with 2 and with 64 servers.

    python -m benchmarks.exchange --out benchmarks/results/exchange.json

The trainer's side is the code that runs in a job. The actor and the servers are Ray actors, each in its own process,
without a model or an engine. Every round moves the weights, and tells the servers their new model (not timed). Then it
times the exchange: the trainer's own time, and the time until the last server has confirmed. No process waits for the
latter.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path
from statistics import median, quantiles

import ray
from rich.console import Console
from rich.progress import track

from tests.exchange.actors import Job


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=int, nargs="+", default=[2, 64])
    parser.add_argument("--rollouts", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--warm-up", type=int, default=5)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def measure(num_servers: int, num_rollouts: int, num_rounds: int, warm_up: int) -> dict[str, float | list[float]]:
    """Milliseconds of the trainer and until all servers confirmed, over ``num_rounds``, and bytes of a message."""
    job, trainer_ms, confirmed_ms = Job(num_servers, num_rollouts), [], []
    model_in_place: list[float] = []
    job.after_model = lambda: model_in_place.append(time.perf_counter())
    for step in range(warm_up + num_rounds):
        ray.get(job.actor.train.remote())
        job.update_weights(step)
        job.difficulty_messages.wait()
        confirmed_ms.append(1000 * (time.perf_counter() - model_in_place[-1]))
        outcomes = job.difficulty_messages.outcomes()
        trainer_ms.append(outcomes["daro/exchange/milliseconds"])
        assert outcomes["daro/exchange/confirmed"] == num_servers
    message = job.difficulty_messages.last.to_bytes()
    for handle in (job.actor, *job.servers):
        ray.kill(handle)
    low, _, high = quantiles(trainer_ms[warm_up:], n=4)
    return {
        "servers": num_servers,
        "trainer_ms": median(trainer_ms[warm_up:]),
        "trainer_ms_quartiles": [low, high],
        "all_confirmed_ms": median(confirmed_ms[warm_up:]),
        "bytes_of_a_message": float(len(message)),
    }


def main() -> None:
    args = parse()
    ray.init(include_dashboard=False, log_to_driver=False)
    numbers = track(args.servers, "numbers of servers", console=Console(stderr=True))
    result = {
        "rollouts": args.rollouts,
        "rounds": args.rounds,
        "by_servers": [measure(num, args.rollouts, args.rounds, args.warm_up) for num in numbers],
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg(),
        "versions": {"ray": ray.__version__, "python": platform.python_version()},
    }
    print(json.dumps(result, indent=1))
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n")
    ray.shutdown()


if __name__ == "__main__":
    main()
