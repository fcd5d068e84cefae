"""Each contribution alone on a clean copy of verl, then all together: apply, test, rules, revert."""

import tempfile
from collections.abc import Mapping, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track

from upstream.contribution import Contribution
from upstream.copies import Copy
from upstream.rules import violations
from upstream.testing import in_files, run_tests

TOGETHER = "all together"
JOBS = 2  # processes side by side


@dataclass
class Result:
    """What was seen of one contribution. A verdict is ``ok``, with figures, or says what is wrong."""

    name: str
    verdicts: dict[str, str] = field(default_factory=dict)
    details: list[str] = field(default_factory=list)

    def add(self, column: str, problems: Sequence[str], ok: str = "ok") -> None:
        self.verdicts[column] = "FAILED" if problems else ok
        self.details += [f"{self.name}, {column}: {problem}" for problem in problems]

    @property
    def passed(self) -> bool:
        return not self.details


def check(chosen: Sequence[Contribution], verl: Path) -> list[Result]:
    """Check contributions on copies of the package in the folder ``verl``."""
    with tempfile.TemporaryDirectory(prefix="upstream-") as scratch, ThreadPoolExecutor(JOBS) as pool:
        plain = pool.submit(_without, chosen, Copy.of_package(verl, Path(scratch, "plain")))
        copies = [Copy.of_package(verl, Path(scratch, contribution.name)) for contribution in chosen]
        checked = pool.map(lambda one, copy: _with(one.name, [one], copy), chosen, copies)
        results = list(track(checked, "contributions", total=len(chosen), console=Console(stderr=True)))
        if len(chosen) > 1:
            results.append(_with(TOGETHER, chosen, Copy.of_package(verl, Path(scratch, "together"))))
        for contribution, result in zip(chosen, results, strict=False):
            _add_without(result, contribution, *plain.result())
    return results


def _without(chosen: Sequence[Contribution], copy: Copy) -> tuple[dict[str, str], str]:
    """All new tests on plain verl, in one process."""
    for contribution in chosen:
        copy.add_new_files(contribution, only=contribution.tests)
    return run_tests(copy, [test for contribution in chosen for test in contribution.tests])


def _add_without(result: Result, contribution: Contribution, outcomes: Mapping[str, str], output: str) -> None:
    """Each new file must have a test that fails without the patch; the others say what must stay as it is."""
    useless = [test for test in contribution.tests if "failed" not in in_files(outcomes, [test]).values()]
    problems = [f"{test} does not fail on plain verl" for test in useless] + ([output] if useless else [])
    seen = list(in_files(outcomes, contribution.tests).values())
    result.add("fails without", problems or _none(seen), f"{seen.count('failed')} of {len(seen)}")


def _with(name: str, chosen: Sequence[Contribution], copy: Copy) -> Result:
    result = Result(name)
    refused = [complaint for contribution in chosen if (complaint := copy.apply(contribution))]
    result.add("applies", refused)
    if refused:
        return result
    for contribution in chosen:
        copy.add_new_files(contribution)
    outcomes, output = run_tests(copy, [test for contribution in chosen for test in contribution.tests])
    bad = [f"{test} {outcome}" for test, outcome in outcomes.items() if outcome != "passed"]
    result.add("passes with", [*bad, output] if bad else _none(outcomes), f"{len(outcomes)}")
    result.add("rules", [problem for contribution in chosen for problem in violations(contribution, copy)])
    for contribution in reversed(chosen):
        copy.remove_new_files(contribution)
    complaints = [complaint for one in reversed(chosen) if (complaint := copy.apply(one, reverse=True))]
    result.add("reverts", complaints or copy.differences())
    return result


def _none(tests: Sized) -> list[str]:
    return [] if tests else ["no tests"]
