"""Sessions with several outputs (multi-output agent loops), told apart by verl's keys."""

from collections.abc import Sequence

import torch


def final_rows(batch_keys: Sequence[str]) -> torch.Tensor:
    """For every output, the row of its session's last one, which stands for the session.

    Args:
        batch_keys: verl's key of each row, ``{uid}_{session}_{index of the output}``; any order.

    Returns:
        [num_rows] int64. A session with one output points at itself.

    Raises:
        ValueError: a key of another form.
    """
    last: dict[str, tuple[int, int]] = {}
    sessions = []
    for row, key in enumerate(batch_keys):
        session, _, output = key.rpartition("_")
        if not session or not output.isdigit():
            raise ValueError(f"key of an output: got {key!r}, expected <uid>_<session>_<index of the output>")
        sessions.append(session)
        last[session] = max(last.get(session, (-1, -1)), (int(output), row))
    return torch.tensor([last[session][1] for session in sessions], dtype=torch.int64)
