"""Which of verl's policy losses DARO can scale: those whose token losses are proportional to the advantage.

DARO multiplies the advantages of a bin by a positive factor, and takes the bin's loss as the derivative for that factor
(``objective.py``). This is right if ``loss(c A) = c loss(A)`` for ``c > 0``, and if tokens are summed, not averaged per
response. A loss in neither table is a user's own. It is checked at its first micro-batch (``homogeneity.py``).
"""

HOMOGENEOUS = ("vanilla", "dppo_tv", "dppo_kl", "gspo", "gpg", "cispo", "bypass_mode")
"""verl's losses that are proportional. Each has a test."""

NOT_HOMOGENEOUS = {
    "clip_cov": "it chooses the tokens that it clips by a covariance with the advantages",
    "kl_cov": "it adds a penalty to tokens chosen by a covariance with the advantages",
    "dro": "it adds a term that does not depend on the advantage",
    "geo_mean": "it has one value per response and no token losses",
    "sapo": "it averages over the tokens of each response, whatever loss_agg_mode says",
}
"""verl's losses that are not, and why."""
