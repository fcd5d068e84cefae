"""The benchmark of the start of a job reads its parts from verl's output and its processes' titles."""

import json

import pytest

pytest.importorskip("psutil")
pytest.importorskip("transformers")

from benchmarks import startup  # noqa: E402
from benchmarks.cost import machine  # noqa: E402
from benchmarks.cost import startup as part  # noqa: E402
from benchmarks.startup import EXIT, cpu_of_kinds, of_servers, seconds_of_parts  # noqa: E402

LINES = [
    (1.0, "INFO:Platform override from VERL_PLATFORM: cpu\n"),  # of the driver: ends no part
    (6.0, "ray init kwargs: {...}\n"),
    (9.0, "INFO worker.py:2038 -- Started a local Ray instance.\n"),
    (17.0, "(TaskRunnerV1 pid=7) INFO:Platform override from VERL_PLATFORM: cpu\n"),
    (25.0, "(TaskRunnerV1 pid=7) INFO:worker group kwargs: {'device_name': 'cpu'}\n"),
    (30.0, "(WorkerDict pid=9) INFO:Platform override from VERL_PLATFORM: cpu\n"),
    (40.0, "(TaskRunnerV1 pid=7) INFO:actor and ref model engine initialized\n"),
    (60.5, "(TaskRunnerV1 pid=7) INFO:all initialize finished, ready to fit\n"),
]


def test_parts_end_with_their_lines_and_the_rest_is_the_exit():
    seconds = seconds_of_parts(LINES, 64.0)
    assert list(seconds.values()) == [6.0, 3.0, 8.0, 8.0, 15.0, 20.5, 3.5]
    assert list(seconds)[-2:] == ["rollout servers", EXIT]


def test_a_line_that_is_missing_counts_to_the_next_part():
    assert seconds_of_parts(LINES[5:], 64.0)["Megatron actors"] == 40.0


def test_cpu_seconds_are_added_by_kind_of_process():
    processes = {
        1: ("python -m verl.trainer.main_ppo actor_rollout_ref.rollout.name=vllm", 5.0),
        2: ("ray::TaskRunnerV1.run", 9.0),
        3: ("ray::TransferQueueStorageUnit#0:SimpleStorageUnit", 1.0),
        4: ("ray::TransferQueueController", 1.5),
        5: ("ray::vllm_server_0_0:DifficultyVLLMServer.generate", 10.0),
        6: ("VLLM::EngineCore", 11.0),
        9: ("ray::DifficultyVLLMServer", 4.0),
        10: ("ray::DifficultyAgentLoopWorker", 3.0),
        7: ("/lib/ray/core/src/ray/raylet/raylet --raylet_socket_name=x", 2.0),
        8: ("python -c spawn_main", 0.5),
    }
    assert cpu_of_kinds(processes) == {
        "rollout servers": 25.0,
        "task runner": 9.0,
        "driver": 5.0,
        "agent loop, load balancer": 3.0,
        "TransferQueue": 2.5,
        "Ray": 2.0,
        "other": 0.5,
    }


def test_each_server_by_itself():
    processes = {
        2: ("ray::TaskRunnerV1.run", 9.0),
        5: ("ray::vllm_server_1_0:DifficultyVLLMServer.generate", 10.0),
        6: ("VLLM::EngineCore", 11.0),
        7: ("ray::DifficultyVLLMServer", 4.0),
        8: ("python -c resource_tracker", 0.5),
    }
    born = {2: 5.0, 5: 20.04, 6: 31.0, 7: 20.5, 8: 25.0}
    parents = {2: 1, 5: 1, 6: 5, 7: 1, 8: 7}
    assert of_servers(processes, born, parents) == {
        "server 1": {"actor": 20.0, "engine": 31.0, "CPU": 21.0},
        "server 2": {"actor": 20.5, "CPU": 4.5},  # its engine has not begun
    }


def test_a_result_says_of_which_commit_and_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(startup, "measure", lambda overrides: {"seconds_in_all": 1.0})
    monkeypatch.setattr(startup, "version", lambda name: "1")
    (tmp_path / "startup.json").write_text('{"before": {}}')
    startup.record("after", 2, ["a=b"], tmp_path / "startup.json")
    found = json.loads((tmp_path / "startup.json").read_text())
    assert list(found) == ["before", "after"]  # other labels stay
    assert found["after"]["runs"] == [{"seconds_in_all": 1.0}] * 2
    assert found["after"]["commit"] == machine.commit() and found["after"]["machine"] == machine.processor()


def test_the_aim_is_held_against_the_slower_run():
    rest = {"seconds_in_all": 90, "cpu_seconds_in_all": 1, "load_before": 0}
    runs = [{"seconds_to_first_rollout": seconds, **rest} for seconds in (55, 65)]
    (aim,) = part.aims(part.rows_of(runs))
    assert (aim.measured, aim.verdict) == (65, "not met")
