"""Whether training and rollout compute the same: what verl and DARO log of it, at its worst over a run's steps."""

from examples.quickstart.history import per_bin

CORRELATION = "training/rollout_actor_probs_pearson_corr"  # logged where the trainer computes the old log-probabilities
KL = "actor/ppo_kl"


def describe_agreement(steps: dict[int, dict]) -> list[str]:
    """A line on the policies of the two engines, and one on Theorem 1; none where nothing was logged.

    The job takes one optimizer step per batch, so the KL divergence is between the servers' policy and the same
    weights in training, estimated as the mean over response tokens of ``ln p_rollout - ln p_training``.
    """
    lines = []
    parts = (
        [f"KL at most {max(values):.1e}"]
        if (values := [abs(step[KL]) for step in steps.values() if KL in step])
        else []
    )
    if correlations := [step[CORRELATION] for step in steps.values() if CORRELATION in step]:
        parts.append(f"correlation of probabilities at least {min(correlations):.5f}")
    if parts:
        lines.append(f"rollout and training, same weights: {', '.join(parts)}")
    if pairs := losses_with_theory(steps):
        gap, largest = max(abs(loss - theory) for loss, theory in pairs), max(abs(loss) for loss, _ in pairs)
        lines.append(f"Theorem 1: L_k is what lengths and rewards say within {gap:.1e} (largest L_k {largest:.3f})")
    return lines


def losses_with_theory(steps: dict[int, dict]) -> list[tuple[float, float]]:
    """``L_k`` and its on-policy value, of each bin and step that has both."""
    pairs = []
    for metrics in steps.values():
        theory = per_bin(metrics, "actor/daro/loss_on_policy")
        pairs += [(loss, theory[k]) for k, loss in per_bin(metrics, "actor/daro/loss").items() if k in theory]
    return pairs
