"""The table of options, from the fields of ``DaroConfig`` and the texts below them."""

import ast
import inspect
from dataclasses import MISSING, fields

from daro_verl.advantage.weighting import LITERAL, find_weighting
from daro_verl.config import CHOICES, EXPECTED, DaroConfig
from website import table


def text() -> str:
    """The table of options."""
    texts = documented(DaroConfig)
    rows = [[f"`{name}`", default(name), bounds(name), text] for name, text in texts.items()]
    return table(["option", "default", "values", "meaning"], rows)


def documented(cls: type) -> dict[str, str]:
    """Each field of a dataclass with the text that stands below it."""
    [definition] = ast.parse(inspect.getsource(cls)).body
    assert isinstance(definition, ast.ClassDef)
    texts: dict[str, str] = {}
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            texts[ast.unparse(field.target)] = str(text.value.value).replace("``", "`")
    return texts


def default(name: str) -> str:
    """The default of `learned`, and that of `paper` where it is another."""
    [value] = [field.default for field in fields(DaroConfig) if field.name == name]
    if value is not None and value is not MISSING:
        return f"`{value}`"
    learned, paper = ({**LITERAL, **find_weighting(form).defaults}[name] for form in ("learned", "paper"))
    return f"`{_short(learned)}` (`{_short(paper)}`)"


def bounds(name: str) -> str:
    """What the option may be; the check's own words."""
    return ", ".join(f"`{choice}`" for choice in CHOICES[name]) if name in CHOICES else EXPECTED.get(name, "")


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
