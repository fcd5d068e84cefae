"""Sessions with several outputs (multi-output agent loops), told apart by verl's keys."""

from collections.abc import Sequence
from itertools import repeat

import torch


def final_rows(batch_keys: Sequence[str]) -> torch.Tensor | None:
    """For every output, the row of its session's last one, which stands for the session.

    Args:
        batch_keys: verl's key of each row, ``{uid}_{session}_{index of the output}``; any order, no key twice.

    Returns:
        [num_rows] int64; a session with one output points at itself. None where every output is its session's first:
        then each session has just that one.

    Raises:
        ValueError: a key of another form.
    """
    if all(map(str.endswith, batch_keys, repeat("_0"))):  # the usual case, at a tenth of the loop's price
        return None
    last: dict[str, tuple[int, int]] = {}
    sessions = []
    for row, key in enumerate(batch_keys):
        session, _, output = key.rpartition("_")
        if not session or not output.isdigit():
            raise ValueError(f"key of an output: got {key!r}, expected <uid>_<session>_<index of the output>")
        sessions.append(session)
        last[session] = max(last.get(session, (-1, -1)), (int(output), row))
    return torch.tensor([last[session][1] for session in sessions], dtype=torch.int64)
