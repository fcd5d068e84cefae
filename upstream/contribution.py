"""A folder of this package that holds one contribution: its text, its patch of verl and its new files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
TEXT, PATCH, NEW = "PULL_REQUEST.md", "changes.patch", "new"
OUTSIDE = "changes_repo.patch"


@dataclass(frozen=True)
class Contribution:
    """One folder: ``PULL_REQUEST.md``, ``changes.patch`` of verl's package, and ``new/`` with the files that are new.

    Changes of other files of verl's repository, which an installed verl has not, are in ``changes_repo.patch``.
    """

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def patches(self) -> list[Path]:
        """That of the package, then that of the rest of the repository if there is one."""
        return [path for name in (PATCH, OUTSIDE) if (path := self.folder / name).is_file()]

    def patch_lines(self) -> list[str]:
        """The lines of all patches."""
        return [line for patch in self.patches for line in patch.read_text().splitlines()]

    @property
    def title(self) -> str:
        """The first heading of the text."""
        text = self.folder / TEXT
        lines = text.read_text().splitlines() if text.is_file() else []
        return next((line.removeprefix("# ").strip("` ") for line in lines if line.startswith("# ")), "")

    @property
    def new_files(self) -> list[Path]:
        """Paths in verl's repository."""
        new = self.folder / NEW
        return sorted(
            path.relative_to(new) for path in new.rglob("*") if path.is_file() and "__pycache__" not in path.parts
        )

    @property
    def tests(self) -> list[Path]:
        """Those of the new files that pytest runs."""
        return [path for path in self.new_files if path.parts[0] == "tests" and path.name.startswith("test_")]

    @property
    def touched(self) -> list[Path]:
        """Files of verl's repository that the patches change."""
        return [Path(line.removeprefix("+++ b/")) for line in self.patch_lines() if line.startswith("+++ b/")]

    def added_lines(self) -> list[str]:
        """What the patches add, without the leading ``+``."""
        return [line[1:] for line in self.patch_lines() if line.startswith("+") and not line.startswith("+++")]


def contributions(names: Sequence[str] = ()) -> list[Contribution]:
    """Those with a patch of verl, by name; all of them if none is named.

    Raises:
        ValueError: a name is none of theirs.
    """
    found = {path.parent.name: Contribution(path.parent) for path in sorted(FOLDER.glob(f"*/{PATCH}"))}
    unknown = sorted(set(names) - set(found))
    if unknown:
        raise ValueError(f"contribution: got {unknown}, expected some of {sorted(found)}")
    return [found[name] for name in names or found]
