"""How large each contribution is, beside pull requests that verl merged."""

from collections import Counter
from collections.abc import Iterator

from upstream.contribution import NEW, Contribution

CORE = "verl/trainer/ppo/core_algos.py"
# Name, number, lines added and removed, lines added to core_algos, files: git's count of the merged commit.
PRECEDENTS = (
    ("token-sum", 7197, 73, 3, 5, 4),
    ("CISPO", 4508, 112, 0, 61, 2),
    ("DRO", 7245, 122, 1, 33, 10),
    ("GPG", 2057, 293, 14, 84, 12),
    ("GMPO", 2795, 465, 0, 70, 5),
    ("SAPO", 4345, 472, 0, 85, 7),
    ("GDPO", 5503, 535, 1, 111, 7),
    ("DPPO", 5397, 619, 0, 166, 5),
    ("OTB", 4678, 685, 39, 253, 13),
)


def table(chosen: list[Contribution]) -> Iterator[str]:
    """Lines of a Markdown table: the contributions, then the precedents."""
    yield "| | added | removed | added to the package | to tests | to docs, YAML | to core_algos | files |"
    yield "|---|---|---|---|---|---|---|---|"
    for contribution in chosen:
        yield row(contribution)
    for name, number, added, removed, core, files in PRECEDENTS:
        yield f"| *{name}, #{number}* | *{added}* | *{removed}* | | | | *{core}* | *{files}* |"


def row(contribution: Contribution) -> str:
    """One row of the table, as ``git diff --numstat`` counts."""
    added, removed = changed_lines(contribution)
    tests = sum(lines for path, lines in added.items() if path.startswith("tests/"))
    texts = sum(lines for path, lines in added.items() if not path.endswith(".py"))
    total = added.total()
    cells = [total, removed, total - tests - texts, tests, texts, added[CORE], len(added)]
    return f"| `{contribution.name}` | {' | '.join(map(str, cells))} |"


def changed_lines(contribution: Contribution) -> tuple[Counter[str], int]:
    """How many lines a contribution adds to each file, and how many it removes in all."""
    added: Counter[str] = Counter()
    removed, path = 0, ""
    for line in contribution.patch_lines():
        if line.startswith("+++ b/"):
            path = line.removeprefix("+++ b/")
            added[path] = 0
        elif line.startswith("+"):
            added[path] += 1
        elif line.startswith("-") and not line.startswith("--- a/"):
            removed += 1
    for new in contribution.new_files:
        added[str(new)] = len((contribution.folder / NEW / new).read_text().splitlines())
    return added, removed
