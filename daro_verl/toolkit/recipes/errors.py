"""What a user of the recipes can meet."""

from daro_verl.errors import DaroError


class DaroRecipeError(DaroError, ValueError):
    """A knob or the job that the knobs make is wrong; each line says got, expected and the fix."""

    @classmethod
    def of(cls, problems: list[str]) -> "DaroRecipeError":
        """All problems at once."""
        return cls("\n".join(problems))
