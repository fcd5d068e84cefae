"""Variables whose name is nearly a knob's: nobody would read them, and the run would have the default."""

import difflib
from collections.abc import Collection, Mapping

from daro_verl.errors import got_expected_fix

# A name is taken for a misspelled knob if it is at least this long and this near to one, or one of these. RAY_*
# variables and PROJECT_ID are no nearer than 0.85.
SHORTEST, NEAR = 5, 0.86
ALIASES = {"BACKEND": "INFER_BACKEND", "ROLLOUT": "INFER_BACKEND", "BATCH_SIZE": "BATCH", "LEARNING_RATE": "LR",
           "MINI_BATCH_SIZE": "MINI_BATCH"}  # fmt: skip


def misspelled(environment: Mapping[str, str], knobs: Collection[str]) -> list[str]:
    """A problem for each variable that is none of ``knobs`` and nearly is."""
    problems = []
    for name in sorted(set(environment) - set(knobs)):
        if knob := _meant(name, knobs):
            fix = f"set {knob} instead, or unset {name} where it is of another program (env -u {name} bash ...)"
            problems.append(got_expected_fix(name, environment[name], f"a knob's name: {knob}?", fix))
    return problems


def _meant(name: str, knobs: Collection[str]) -> str | None:
    """The knob that somebody who wrote ``name`` may have meant; short names are near to too many others'."""
    if name in ALIASES or len(name) < SHORTEST:
        return ALIASES.get(name)
    return next(iter(difflib.get_close_matches(name, knobs, n=1, cutoff=NEAR)), None)
