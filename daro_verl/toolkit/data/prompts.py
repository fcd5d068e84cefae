r"""What the model is asked: a system message, and the problem followed by a suffix."""

from dataclasses import dataclass

BOXED = r" Let's think step by step and output the final answer within \boxed{}."


@dataclass(frozen=True)
class Asking:
    """How a file asks. None means that the source decides.

    ``system``: the system message of every row; the empty string for none. ``suffix``: follows the problem.
    """

    system: str | None = None
    suffix: str | None = None

    def messages(self, text: str, own_system: str, own_suffix: str) -> list[dict[str, str]]:
        """verl's ``prompt``. A system message says what form the answer has, so it replaces the source's own suffix."""
        system = own_system if self.system is None else self.system
        suffix = self.suffix
        if suffix is None:
            suffix = "" if system else own_suffix
        user = {"role": "user", "content": text + suffix}
        return [{"role": "system", "content": system}, user] if system else [user]
