"""The sections of the command line, from the Typer commands themselves."""

import inspect
import re
from typing import Any

from daro_verl.cli import COMMANDS, load
from website import table


def text() -> str:
    """A section for each command."""
    return "".join(section(load(name), f"daro {name}") for name in COMMANDS)


def section(command: Any, name: str) -> str:
    """A command, and the commands below it."""
    told = inspect.cleandoc(command.help or "").replace("\b\n", "")
    told = re.sub(r"^Examples?: (.*)", r"```bash\n\1\n```", told, flags=re.MULTILINE)
    text = f"## {name}\n\n{told}\n\n"
    if hasattr(command, "commands"):
        return text + "".join(section(child, f"{name} {key}") for key, child in command.commands.items())
    rows = [row(parameter) for parameter in command.params if parameter.name != "help"]
    return text + (table(["argument", "default", "meaning"], rows) + "\n" if rows else "")


def row(parameter: Any) -> list[str]:
    """An argument or an option."""
    names = parameter.opts + parameter.secondary_opts
    name = " ".join(f"`{option}`" for option in names) if names[0].startswith("-") else f"`{parameter.name.upper()}`"
    default = parameter.default() if callable(parameter.default) else parameter.default
    shown = "required" if parameter.required else "" if default in (None, [], (), False, ...) else f"`{default}`"
    return [name, shown, getattr(parameter, "help", "") or ""]
