"""Which of verl's policy losses DARO can scale: those whose token losses are proportional to the advantage.

DARO multiplies the advantages of a bin by a positive factor, and takes the bin's loss as the derivative for that factor
(``objective.py``). This is right if ``loss(c A) = c loss(A)`` for ``c > 0``, and if tokens are summed, not averaged per
response. A loss in neither table is a user's own. It is checked at its first micro-batch (``homogeneity.py``).
"""

from omegaconf import DictConfig

HOMOGENEOUS = ("vanilla", "dppo_tv", "dppo_kl", "gspo", "gpg", "cispo", "bypass_mode")
"""verl's losses that are proportional. Each has a test."""

REINFORCE = "bypass_mode, reinforce"
"""verl's ``bypass_mode`` with ``loss_type=reinforce``."""

OF_LOG_PROBABILITIES = ("dppo_tv", "dppo_kl", "gpg", "cispo", REINFORCE)
"""Losses ``-c A ln pi`` with a constant ``c``. They have the gradient of the paper's loss ``-rho A``, not its value:
by their values, the bin with the most likely tokens would get the largest weight. DARO takes the value of ``-rho A`` at
ratio 1 (``BinCounts.loss_on_policy``) for the bin's loss."""

NOT_HOMOGENEOUS = {
    "clip_cov": "it chooses the tokens that it clips by a covariance with the advantages",
    "kl_cov": "it adds a penalty to tokens chosen by a covariance with the advantages",
    "dro": "it adds a term that does not depend on the advantage",
    "geo_mean": "it has one value per response and no token losses",
    "sapo": "it averages over the tokens of each response, whatever loss_agg_mode says",
}
"""verl's losses that are not, and why."""


def loss_name(config: DictConfig) -> str:
    """The name of the policy loss that a job's workers compute.

    ``algorithm.rollout_correction.bypass_mode`` does not change it: verl's trainers set ``loss_mode`` for it in the
    driver, when the workers have their own copy (verl 0.9.1).
    """
    settings = config.actor_rollout_ref.actor.policy_loss
    name, correction = settings.get("loss_mode", "vanilla"), settings.get("rollout_correction")
    is_reinforce = name == "bypass_mode" and correction and correction.get("loss_type") == "reinforce"
    return REINFORCE if is_reinforce else str(name)
