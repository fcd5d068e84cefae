"""What is left out of an environment, and which tests may run side by side."""

import logging
import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from filelock import FileLock

# Before torch is imported. Two processes share the cores: threads that wait for one another spin, for 13 CPU seconds
# where one thread takes 1 (tests/unit/test_real_model.py).
os.environ.setdefault("OMP_NUM_THREADS", "1")
# SGLang has an environment of its own: `make test-sglang` runs these there.
NEED_SGLANG = [
    "platform/test_sglang_bridges.py",
    "end_to_end/test_sglang.py",
    "toolkit/evaluation/test_sglang_engine.py",
]
LONGEST = "end_to_end/test_trainers.py"
# Jobs of 8 GB and more: never two at a time.
BIG = (
    "toolkit/recipes/test_smoke.py",
    "end_to_end/test_example.py",
    "end_to_end/test_jobs.py",
    "end_to_end/test_real_model.py",
    "end_to_end/test_sglang.py",
)
collect_ignore = [] if find_spec("sglang") else NEED_SGLANG


def pytest_collection_modifyitems(items):
    """For ``pytest -n 2 --dist loadfile``, which takes files in order: the longest, beside it big ones, slow ones."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}

    def place(item):
        path = item.path.as_posix()
        return not path.endswith(LONGEST), not path.endswith(BIG), item.path not in slow

    items.sort(key=place)


@pytest.fixture(scope="module", autouse=True)
def one_big_job_at_a_time(request, tmp_path_factory):
    """A lock in the folder that the processes of ``pytest -n 2`` share."""
    if not request.path.as_posix().endswith(BIG):
        yield
        return
    with FileLock(tmp_path_factory.getbasetemp().parent / "big.lock"):
        yield


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The real model, made once in this checkout, where the quickstart has it."""
    from daro_verl.toolkit.models.smollm2 import write_smollm2
    from examples.quickstart.smollm2 import MODEL

    MODEL.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(MODEL.with_suffix(".lock")):
        return write_smollm2(MODEL)


@pytest.fixture(scope="session", autouse=True)
def hydra_reads_once():
    """Hundreds of tests compose verl's configuration, and reading its files is a third of that."""
    from tests.hydra_cache import hydra_reads_verls_files_once

    with hydra_reads_verls_files_once():
        yield


@pytest.fixture(autouse=True)
def daros_log_lines_reach_caplog(monkeypatch):
    """pytest listens at the root logger; where verl is imported, ``daro_verl`` does not go there (``logs.py``)."""
    monkeypatch.setattr(logging.getLogger("daro_verl"), "propagate", True)
