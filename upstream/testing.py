"""Tests of contributions, run by pytest on a copy of verl that has no plugin."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
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


def run_tests(copy: Copy, tests: Sequence[Path]) -> tuple[dict[str, str], str]:
    """Run test files in one process.

    Returns:
        of each test, as ``module::name``, whether it ``passed``, ``failed`` (errors too) or was ``skipped``, where a
        file that cannot be imported is a failed test; and what pytest printed.
    """
    report = copy.root / "report.xml"
    options = [*OPTIONS, "--continue-on-collection-errors", f"--junitxml={report}"]
    done = copy.run("-c", RUN, *options, *map(str, tests))
    if not report.exists():
        return {}, done.stdout + done.stderr
    cases = list(ET.parse(report).getroot().iter("testcase"))
    report.unlink()
    return {_identifier(case): _outcome(case) for case in cases}, done.stdout + done.stderr


def in_files(outcomes: Mapping[str, str], tests: Sequence[Path]) -> dict[str, str]:
    """The outcomes of the tests in these files."""
    modules = tuple(".".join(test.with_suffix("").parts) for test in tests)
    return {test: outcome for test, outcome in outcomes.items() if test.startswith(modules)}


def _identifier(case: ET.Element) -> str:
    return f"{case.get('classname') or case.get('name')}::{case.get('name')}"


def _outcome(case: ET.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"
