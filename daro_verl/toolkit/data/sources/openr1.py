"""Openr1-Math-46k-8192: 46k problems of OpenR1-Math, in verl's own schema, with a long think prompt as system message.

Its ``target``, a worked solution of another model, is not used. The answer is ``reward_model.ground_truth``.
"""

from collections.abc import Mapping
from typing import Any

from daro_verl.toolkit.data import fields
from daro_verl.toolkit.data.answers import canonical
from daro_verl.toolkit.data.problem import Problem, Source


def read(row: Mapping[str, Any]) -> Problem:
    system, user = fields.system_and_user(row)
    answer = fields.inner(row, "reward_model", "ground_truth")
    extra = fields.structure(row.get("extra_info"))
    identifier = fields.label(extra, "index") if isinstance(extra, Mapping) else ""
    return Problem(user, canonical(answer), str(answer), id=identifier, system=system)


SOURCE = Source("openr1", read, "Elliott/Openr1-Math-46k-8192")
