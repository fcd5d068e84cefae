"""Files that are left out of an environment without what they are about."""

import logging
from importlib.util import find_spec

import pytest

# SGLang has an environment of its own: `make test-sglang` runs these there.
NEED_SGLANG = [
    "platform/test_sglang_bridges.py",
    "end_to_end/test_sglang.py",
    "toolkit/evaluation/test_sglang_engine.py",
]
collect_ignore = [] if find_spec("sglang") else NEED_SGLANG


@pytest.fixture(autouse=True)
def daros_log_lines_reach_caplog(monkeypatch):
    """pytest listens at the root logger; where verl is imported, ``daro_verl`` does not go there (``logs.py``)."""
    monkeypatch.setattr(logging.getLogger("daro_verl"), "propagate", True)
