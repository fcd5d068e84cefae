"""What is left out of an environment, and which tests may run side by side."""

import logging
from importlib.util import find_spec

import pytest

# SGLang has an environment of its own: `make test-sglang` runs these there.
NEED_SGLANG = [
    "platform/test_sglang_bridges.py",
    "end_to_end/test_sglang.py",
    "toolkit/evaluation/test_sglang_engine.py",
]
# Jobs of 8 GB and more: never two at a time.
BIG = ("toolkit/recipes/test_smoke.py", "end_to_end/test_jobs.py", "end_to_end/test_sglang.py")
collect_ignore = [] if find_spec("sglang") else NEED_SGLANG


def pytest_collection_modifyitems(items):
    """For ``pytest -n 2 --dist loadgroup``: a file stays in one process, the big ones in the same. Long ones first."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    big = {item.path for item in items if item.path.as_posix().endswith(BIG)}
    items.sort(key=lambda item: (item.path not in big, item.path not in slow))
    for item in items:
        item.add_marker(pytest.mark.xdist_group("big" if item.path in big else item.path.as_posix()))


@pytest.fixture(autouse=True)
def daros_log_lines_reach_caplog(monkeypatch):
    """pytest listens at the root logger; where verl is imported, ``daro_verl`` does not go there (``logs.py``)."""
    monkeypatch.setattr(logging.getLogger("daro_verl"), "propagate", True)
