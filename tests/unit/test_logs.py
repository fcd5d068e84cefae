"""DARO's warnings and errors reach the console once, whatever is done to the root logger."""

import logging
from importlib.util import find_spec

import pytest

from daro_verl.logs import show_on_console
from tests.unit.test_plugin import python

SPEAK = "import logging; [getattr(logging.getLogger('daro_verl.any'), level)(level) for level in ('info', 'warning')]\n"
VLLM_SERVER = "import vllm.entrypoints.openai.api_server\nassert logging.getLogger().level == logging.ERROR\n"
ROOTS = {
    "as verl leaves it": "",
    "set to ERROR": "logging.getLogger().setLevel('ERROR'); logging.getLogger().handlers[0].setLevel('ERROR')\n",
    "with another handler": "logging.getLogger().addHandler(logging.StreamHandler())\n",
    "without handlers": "logging.getLogger().handlers.clear()\n",
    "configured anew": "logging.basicConfig(level='ERROR', force=True)\n",
    "the logger of verl shielded": "from verl.utils.logging_utils import configure_verl_logging as f; f(); f()\n",
    "the plugin loaded again": "import importlib, daro_verl.plugin as plugin; importlib.reload(plugin)\n",
}


@pytest.fixture(scope="module")
def lines() -> dict[str, list[str]]:
    """What one process prints after each of them, one after the other, and last beside the server of vLLM."""
    roots = ROOTS | ({"beside the server of vLLM": VLLM_SERVER} if find_spec("vllm") else {})
    steps = [f"print('== {name}', file=sys.stderr)\n{code}{SPEAK}" for name, code in roots.items()]
    printed = python("import logging, sys, verl\n" + "".join(steps), VERL_PLATFORM="cpu").split("== ")
    blocks = [block.splitlines() for block in printed[1:]]
    return {name: [line for line in rest if "daro_verl.any" in line] for name, *rest in blocks}


@pytest.mark.parametrize("root", [*ROOTS, "beside the server of vLLM"])
def test_heard_once_whatever_the_root_logger(root, lines):
    if root not in lines:
        pytest.skip("vLLM is not installed")
    info, warning = lines[root]
    assert info.startswith("INFO:") and info.endswith("daro_verl.any: info")
    assert warning.startswith("WARNING:") and warning.endswith("daro_verl.any: warning")


@pytest.mark.parametrize(("level", "number"), [("INFO", 2), ("WARNING", 1), ("ERROR", 0)])
def test_at_verls_level(level, number, monkeypatch, capsys):
    logger = logging.getLogger("daro_verl")
    before = logger.level
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setenv("VERL_LOGGING_LEVEL", level)
    try:
        show_on_console()
        exec(SPEAK)
    finally:
        logger.setLevel(before)
    assert capsys.readouterr().err.count("daro_verl.any") == number
