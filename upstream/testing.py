"""Tests of contributions, run by pytest on a copy of verl that has no plugin."""

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from upstream.copies import Copy

# verl has to be the copy, and the plugin of this project must not hide what a test looks for.
RUN = """
import pathlib, sys
import pytest, verl
here, root = pathlib.Path(verl.__file__).resolve(), pathlib.Path.cwd().resolve()
assert here.is_relative_to(root), f"verl: got {here}, expected the copy in {root}"
assert "daro_verl" not in sys.modules, "daro_verl is loaded"
sys.exit(pytest.main(sys.argv[1:]))
"""
# A configuration of this folder's parents must not count; --capture=sys because Ray holds on to file descriptors.
OPTIONS = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir=.", "-W", "ignore", "--capture=sys"]


def run_tests(copy: Copy, tests: Sequence[Path]) -> tuple[dict[Path, Counter[str]], str]:
    """Run test files in one process.

    Returns:
        per file, how many tests ``passed``, ``failed`` (errors too) and were ``skipped``; and what pytest printed.
    """
    report = copy.root / "report.xml"
    options = [*OPTIONS, "--continue-on-collection-errors", f"--junitxml={report}"]
    done = copy.run("-c", RUN, *options, *map(str, tests))
    outcomes: dict[Path, Counter[str]] = {test: Counter() for test in tests}
    if report.exists():
        for case in ET.parse(report).getroot().iter("testcase"):
            module = case.get("classname") or case.get("name") or ""
            for test in tests:
                if f"{module}.".startswith(".".join(test.with_suffix("").parts) + "."):
                    outcomes[test][_outcome(case)] += 1
        report.unlink()
    return outcomes, done.stdout + done.stderr


def _outcome(case: ET.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"
