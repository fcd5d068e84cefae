"""The tables of the package's own errors, from the places in the code that raise them.

An error says subject, got, expected and fix. What is only known when it happens is shown as ``…``.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeGuard

from website import ROOT, table

PACKAGE = ROOT / "daro_verl"
UNKNOWN = "…"
Names: TypeAlias = dict[str, ast.expr]
PARTS = ("subject", "got", "expected", "fix")


class Message(NamedTuple):
    """An error as its place in the code has it."""

    subject: str
    expected: str
    fix: str


def text() -> str:
    """A table for each folder of the package."""
    sections = ""
    for area, found in sorted(by_area().items()):
        rows = [[f"`{message.subject}`", message.expected, message.fix] for message in sorted(found)]
        sections += f"## {area}\n\n" + table(["first words", "expected", "fix"], rows) + "\n"
    return sections


def by_area() -> dict[str, set[Message]]:
    """The messages of each folder of the package; the toolkit's folders are areas of their own."""
    areas: dict[str, set[Message]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        found = messages_of(file)
        if found:
            parts = [part for part in file.relative_to(PACKAGE).parent.parts if part != "toolkit"]
            areas.setdefault("/".join(parts[:1]) or "a job and its options", set()).update(found)
    return areas


def messages_of(file: Path) -> set[Message]:
    """Every ``problem(...)`` and ``Daro...Error(...)`` of a file."""
    tree = ast.parse(file.read_text())
    found = set[Message]()
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            found |= _messages_in(scope, [*_assignments(tree.body), *_assignments(ast.walk(scope))])
    return {message for message in found if any(character.isalpha() for character in "".join(message))}


def _messages_in(scope: ast.AST, assigned: list[tuple[int, Names]]) -> set[Message]:
    found, in_rows = set(), set[ast.AST]()
    for node in ast.walk(scope):
        if isinstance(node, ast.ListComp) and _raises(node.elt):
            names = _before(node.lineno, assigned)
            if rows := _rows(node.generators[0], names):
                found |= {_message(node.elt, names | row) for row in rows}
                in_rows.add(node.elt)
        elif _raises(node) and node not in in_rows:
            found.add(_message(node, _before(node.lineno, assigned)))
    return found


def _raises(node: ast.AST) -> TypeGuard[ast.Call]:
    name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    return name == "problem" or (name.startswith(("Daro", "RewardWorker")) and name.endswith("Error"))


def _message(call: ast.Call, names: Names) -> Message:
    given = dict(zip(PARTS, call.args, strict=False)) | {word.arg: word.value for word in call.keywords if word.arg}
    texts = (_text(given[part], names) if part in given else "" for part in Message._fields)
    return Message(*(text.removesuffix(" / ") for text in texts))


def _rows(loop: ast.comprehension, names: Names) -> list[Names]:
    """What the loop's names are in each row of ``rows = [(...), ...]``; empty for a loop over anything else."""
    rows = names.get(loop.iter.id) if isinstance(loop.iter, ast.Name) else None
    if not isinstance(rows, ast.List) or not isinstance(loop.target, ast.Tuple):
        return []
    targets = [target.id for target in loop.target.elts if isinstance(target, ast.Name)]
    return [dict(zip(targets, row.elts, strict=False)) for row in rows.elts if isinstance(row, ast.Tuple)]


def _assignments(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, Names]]:
    """By line, the names that are given a value; a tuple of names gets a tuple of values."""
    for node in nodes:
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            pairs = [(target, value)]
            if isinstance(target, ast.Tuple):
                pairs = list(zip(target.elts, value.elts, strict=False)) if isinstance(value, ast.Tuple) else []
            yield node.lineno, {name.id: one for name, one in pairs if isinstance(name, ast.Name)}


def _before(line: int, assigned: list[tuple[int, Names]]) -> Names:
    """What each name is at a line: the last value that stands above it. A constant of the module has its only one."""
    names: Names = {}
    for at, values in sorted(assigned, key=lambda pair: pair[0]):
        names |= {name: value for name, value in values.items() if at < line or name.isupper()}
    return names


def _text(node: ast.expr, names: Names) -> str:
    """What is known of a text before the program runs."""
    match node:
        case ast.Constant():
            return str(node.value)
        case ast.JoinedStr():
            return "".join(_text(part, names) for part in node.values)
        case ast.FormattedValue(value=ast.Name() as name):
            return _text(name, names)
        case ast.BinOp(op=ast.Add()):
            return _text(node.left, names) + _text(node.right, names)
        case ast.IfExp():
            return f"{_text(node.body, names)} / {_text(node.orelse, names)}"
        case ast.Name(id=name) if name in names:
            return _text(names[name], {key: value for key, value in names.items() if key != name})
    return UNKNOWN
