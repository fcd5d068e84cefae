"""Check that training and rollout compute the same, with the metrics that verl and DARO log at each step."""

from statistics import mean

from examples.quickstart.history import per_bin

CORRELATION = "training/rollout_actor_probs_pearson_corr"  # logged where the trainer computes the old log-probabilities
KL = "actor/ppo_kl"


def describe_agreement(steps: dict[int, dict]) -> list[str]:
    """A line about the policies of the two engines, and one about Theorem 1. A line without data is left out.

    The job takes one optimizer step per batch, so servers and training have the same weights. The KL divergence is the
    mean of ``ln p_rollout - ln p_training`` over response tokens, then over steps. It shows that the engines round
    differently in bfloat16.
    """
    lines = []
    policies = []
    if values := [step[KL] for step in steps.values() if KL in step]:
        policies.append(f"KL {mean(values):.1e}")
    if values := [step[CORRELATION] for step in steps.values() if CORRELATION in step]:
        policies.append(f"correlation of probabilities at least {min(values):.5f}")
    if policies:
        lines.append(f"rollout and training, same weights: {', '.join(policies)}")
    if pairs := losses_with_theory(steps):
        gap, largest = max(abs(loss - theory) for loss, theory in pairs), max(abs(loss) for loss, _ in pairs)
        lines.append(f"Theorem 1: L_k is what lengths and rewards say within {gap:.1e} (largest L_k {largest:.3f})")
    return lines


def losses_with_theory(steps: dict[int, dict]) -> list[tuple[float, float]]:
    """``L_k`` and its on-policy value, for each bin and step that has both."""
    pairs = []
    for metrics in steps.values():
        theory = per_bin(metrics, "actor/daro/loss_on_policy")
        pairs += [(loss, theory[k]) for k, loss in per_bin(metrics, "actor/daro/loss").items() if k in theory]
    return pairs
