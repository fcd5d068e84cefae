"""verl's own CPU tests of what a contribution touches, on a copy of verl's repository, without and with its patch."""

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from upstream.contribution import Contribution
from upstream.copies import Copy
from upstream.testing import in_files, run_tests


@dataclass
class Comparison:
    """A contribution on verl's repository.

    Attributes:
        refused: git's complaint, if the patch does not apply to this version.
        tests: verl's own test files that concern it.
        before: how many of their tests had each outcome without the patch.
        changed: tests whose outcome is another with it.
        own: how many of the contribution's own tests had each outcome.
    """

    name: str
    refused: str
    tests: list[Path]
    before: Counter[str]
    changed: list[str]
    own: Counter[str]

    @property
    def same(self) -> bool:
        return not self.refused and not self.changed and set(self.own) == {"passed"}


def compare(chosen: Sequence[Contribution], repository: Path) -> Iterator[Comparison]:
    """Compare verl's own tests without and with each patch.

    Args:
        repository: a checkout; it is copied and stays as it is.
    """
    tests_of = {one.name: concerned(one, repository) for one in chosen}
    union = sorted({test for tests in tests_of.values() for test in tests})
    with tempfile.TemporaryDirectory(prefix="upstream-") as scratch:
        plain, _ = run_tests(Copy.of_repository(repository, Path(scratch, "plain")), union)
        for contribution in chosen:
            copy = Copy.of_repository(repository, Path(scratch, contribution.name))
            yield _compare(contribution, copy, tests_of[contribution.name], plain)


def _compare(contribution: Contribution, copy: Copy, tests: list[Path], plain: dict[str, str]) -> Comparison:
    before = in_files(plain, tests)
    counts = Counter(before.values())
    if refused := copy.apply(contribution):
        return Comparison(contribution.name, refused, tests, counts, [], Counter())
    copy.add_new_files(contribution)
    seen, _ = run_tests(copy, [*tests, *contribution.tests])
    after, own = in_files(seen, tests), in_files(seen, contribution.tests)
    changed = sorted(test for test in before.keys() | after.keys() if before.get(test) != after.get(test))
    return Comparison(contribution.name, "", tests, counts, changed, Counter(own.values()))


def concerned(contribution: Contribution, repository: Path) -> list[Path]:
    """verl's ``*_on_cpu.py`` tests that import a module which the patch touches, or compose a configuration it does."""
    patterns = [pattern for path in contribution.touched for pattern in _patterns(path, repository)]
    tests = sorted((repository / "tests").rglob("*_on_cpu.py"))
    found = [test for test in tests if any(re.search(pattern, test.read_text()) for pattern in patterns)]
    return [test.relative_to(repository) for test in found]


def _patterns(path: Path, repository: Path) -> Iterator[str]:
    if path.suffix != ".py":
        yield re.escape(str(path.parent)) if path.parts[0] == "verl" else "(?!)"
        return
    parts = [part for part in path.with_suffix("").parts if part != "__init__"]
    package, name = re.escape(".".join(parts[:-1])), parts[-1]
    yield rf"\b{package}\.{name}\b"
    yield rf"from {package} import [^\n]*\b{name}\b"
    init = repository.joinpath(*parts[:-1], "__init__.py")
    if init.is_file() and f"from .{name} import" in init.read_text():
        yield rf"from {package} import"
