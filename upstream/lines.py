"""How large each contribution is, beside pull requests that verl merged."""

from collections.abc import Iterator

from upstream.contribution import NEW, Contribution

CORE = "verl/trainer/ppo/core_algos.py"
# Title's subject, number, lines and files, lines of them in core_algos: counted in verl's history.
PRECEDENTS = (
    ("token-sum", 7197, 73, 4, 5),
    ("CISPO", 4508, 112, 2, 61),
    ("DRO", 7245, 122, 10, 33),
    ("GPG", 2057, 293, 12, 84),
    ("GMPO", 2795, 465, 5, 70),
    ("SAPO", 4345, 472, 7, 85),
    ("GDPO", 5503, 535, 7, 111),
    ("DPPO", 5397, 619, 5, 166),
    ("OTB", 4678, 685, 13, 253),
)


def table(chosen: list[Contribution]) -> Iterator[str]:
    """Lines of a Markdown table: the contributions, then the precedents."""
    yield "| | lines | of them in verl's package | in tests | in docs, YAML | in core_algos | files |"
    yield "|---|---|---|---|---|---|---|"
    for contribution in chosen:
        yield row(contribution)
    for name, number, lines, files, core in PRECEDENTS:
        yield f"| *{name}, #{number}* | *{lines}* | | | | *{core}* | *{files}* |"


def row(contribution: Contribution) -> str:
    """One row. Lines of the package are those that are added and those that are removed, as ``git diff --stat`` has."""
    changed = changed_lines(contribution)
    for path in contribution.new_files:
        changed[str(path)] = len((contribution.folder / NEW / path).read_text().splitlines())
    tests = sum(lines for path, lines in changed.items() if path.startswith("tests/"))
    texts = sum(lines for path, lines in changed.items() if not path.endswith(".py"))
    total = sum(changed.values())
    package = total - tests - texts
    return (
        f"| `{contribution.name}` | {total} | {package} | {tests} | {texts} | {changed.get(CORE, 0)} | {len(changed)} |"
    )


def changed_lines(contribution: Contribution) -> dict[str, int]:
    """Lines that the patches add or remove, by file."""
    changed: dict[str, int] = {}
    for line in contribution.patch_lines():
        if line.startswith("+++ "):
            path = line.removeprefix("+++ b/")
            changed[path] = 0
        elif line[:1] in "+-" and line and not line.startswith("--- "):
            changed[path] += 1
    return changed
