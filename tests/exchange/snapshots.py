"""Snapshots for tests: three bins of four rollouts."""

from daro_verl.rollout.snapshot import Snapshot


def snapshot(version: int = 3, global_step: int | None = None, **changes) -> Snapshot:
    """Version ``version`` of step ``version``, whose weights tell versions apart."""
    fields = {
        "version": version,
        "global_step": version if global_step is None else global_step,
        "num_rollouts": 4,
        "weights": (1.0 + version / 7, 1 / 3, 0.1),
        "losses": (0.25, None, -0.5),
        "token_shares": (0.0, 0.25, 0.0, 0.5, 0.25),
    }
    return Snapshot(**{**fields, **changes})
