"""Files that are left out of an environment without what they are about."""

from importlib.util import find_spec

# SGLang has an environment of its own: `make test-sglang` runs these there.
NEED_SGLANG = [
    "platform/test_sglang_bridges.py",
    "end_to_end/test_sglang.py",
    "toolkit/evaluation/test_sglang_engine.py",
]
collect_ignore = [] if find_spec("sglang") else NEED_SGLANG
