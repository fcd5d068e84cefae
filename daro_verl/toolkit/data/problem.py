"""A problem, the data sets that problems come from, why a row is not one, and how a problem is asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

BOXED = r" Let's think step by step and output the final answer within \boxed{}."

# Reasons that a report counts by. Details go into the examples beside them.
MISSING = "missing field"
WRONG_TYPE = "field of a wrong type"
NEEDS_IMAGE = "needs an image"
NO_BOX = "no boxed answer in the solution"
LEVEL = "level not asked for"
NOT_AN_INTEGER = "answer is not an integer from 0 to 999"
GOLD = "answer cannot be scored"
DUPLICATE = "duplicate"
CONTRADICTION = "duplicate with another answer"
IN_TEST = "also in a test file"


class Dropped(Exception):
    """A row is not a usable problem, for one of the reasons above; the detail says what is wrong with this row."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Problem:
    """One problem with its answer. Fields that a source does not have are empty.

    ``answer``: what a response is scored against. ``raw_answer``: as the source writes it. ``system``: this row's
    own system message. ``scorer``: name of the reasoning-gym scorer, ``entry``: what it wants, as JSON.
    """

    text: str
    answer: str
    raw_answer: str = ""
    id: str = ""
    level: str = ""
    subject: str = ""
    answer_type: str = ""
    unit: str = ""
    system: str = ""
    scorer: str = ""
    entry: str = ""


@dataclass(frozen=True)
class Source:
    """A data set.

    Args:
        name: ``data_source`` of its rows; verl averages validation scores by it.
        read: turns one raw row into a problem, or raises :class:`Dropped`.
        hub_id, config, splits: where it is on the hub.
        revision: branch, tag or commit of it; None for what the hub shows first, which may change.
        role: rows of a benchmark (``test``) are kept where a published score counts them; the report remarks on them.
        num_rows: of the published benchmark, one number per edition; the report remarks on any other number.
        rollouts: responses per problem in validation.
        suffix: follows the problem where there is no system message.
        ability: verl's column of this name.
        checks_golds: whether answers go through math-verify.
        rows: makes the raw rows instead of loading them, for generated tasks.
    """

    name: str
    read: Callable[[Mapping[str, Any]], Problem]
    hub_id: str = ""
    config: str | None = None
    splits: tuple[str, ...] = ("train",)
    revision: str | None = None
    role: Literal["train", "test"] = "train"
    num_rows: tuple[int, ...] = ()
    rollouts: int = 1
    suffix: str = BOXED
    ability: str = "math"
    checks_golds: bool = True
    rows: Callable[[], Any] | None = None


@dataclass(frozen=True)
class PromptStyle:
    """How the problems of a file are asked. None means that the source decides.

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
