"""The methods of the paper and others, each a :class:`Weighting` with its ``f``, ``w``, ``D`` (docs/weightings.md)."""

from types import MappingProxyType

import torch

from daro_verl.advantage.groups import PromptGroups
from daro_verl.advantage.weighting import LITERAL, Weighting, named
from daro_verl.objective import GradientRule, LearningRule

EPSILON = 1e-6
"""Added to a standard deviation before dividing by it, as verl's estimators do."""


@named("learned")
class Learned(Weighting):
    """DARO (arXiv 2510.09001), leaning to hard prompts: ``w_k`` minimises ``w_k L_k - nu_k ln w_k`` with the model.

    ``nu_k = sqrt(mu) (1 - mu)`` and ``D`` = all tokens are ours, from ``benchmarks/convergence`` (docs/evidence.md). On
    policy ``L_k = mu (1 - mu) g_k``, with the relative gap in length ``g_k`` (paper, Theorem 1). So ``w_k`` goes to
    ``mu^-1/2 / g_k``, which is F-GRPO's weight over the gap. It starts at ``mu^-1/2``, follows the loss's moving
    average, and stays within a factor of 3. If no bin has a gap, all weights lie at the upper bound, in the proportions
    of ``mu^-1/2``.
    """

    rule = GradientRule
    normaliser = "all_tokens"
    defaults = MappingProxyType({"loss_signal": "average", "weight_min": 1 / 3, "weight_max": 3.0})

    def bin_weights(self, pass_rate: torch.Tensor) -> torch.Tensor:
        return pass_rate**-0.5

    def contributions(self, pass_rate: torch.Tensor) -> torch.Tensor:
        return pass_rate**0.5 * (1 - pass_rate)


@named("paper")
class Paper(Weighting):
    """DARO as the paper writes it: ``nu_k = 1``, the mini-batch's own ``L_k``, start at 1, ``D_k = T_k``."""

    rule = GradientRule


class MinimiserRule(LearningRule):
    """Each update sets ``w_k`` to the minimiser of the objective for the loss that it follows (ours)."""

    def update(self, signal: torch.Tensor, present: torch.Tensor) -> None:
        self.set(self.minimiser(signal), present)


@named("closed_form")
class ClosedForm(Weighting):
    """Ours: ``w_k = 1 / EMA(L_k)``, the minimiser of the paper's objective without an optimizer; ``D_k = T_k``."""

    rule = MinimiserRule
    defaults = MappingProxyType({**LITERAL, "loss_signal": "average"})


@named("uniform")
class Uniform(Weighting):
    """Ablation: ``w_k = weight_init``, fixed: the mean over bins of their token means; ``D_k = T_k``."""


@named("inverse_variance")
class InverseVariance(Weighting):
    """Ablation for whether learning helps: ``w_k = 1 / (mu (1 - mu))``, fixed; ``D_k = T_k``.

    On policy ``L_k = mu (1-mu) (len_neg - len_pos) / len_mean``. So DARO would converge to this if the relative gap in
    length were 1 in every bin.
    """

    def bin_weights(self, pass_rate: torch.Tensor) -> torch.Tensor:
        return 1 / (pass_rate * (1 - pass_rate))


@named("grpo")
class GRPO(Weighting):
    """GRPO (arXiv 2402.03300) as verl has it: ``f = 1 / (std of the prompt's rewards + 1e-6)``, ``D`` = all tokens.

    The deviation is the unbiased one (over ``n - 1``). A prompt with a single counted response has advantage 0; verl
    takes its reward as the advantage.
    """

    normaliser = "all_tokens"
    raw_rewards = True

    def advantage_factor(self, groups: PromptGroups) -> torch.Tensor:
        squares = (groups.scores.double() - groups.mean_score[groups.prompt_of]) ** 2
        variance = groups.sum_by_prompt(squares) / (groups.num_responses - 1).clamp(min=1)
        return 1 / (variance.sqrt() + EPSILON)


@named("focal")
class Focal(GRPO):
    """F-GRPO (arXiv 2602.06717): GRPO that leans to hard prompts, ``f = (1 - mu)^0.5 / (std + 1e-6)``."""

    GAMMA = 0.5

    def advantage_factor(self, groups: PromptGroups) -> torch.Tensor:
        return super().advantage_factor(groups) * (1 - groups.pass_rate) ** self.GAMMA


@named("maxrl")
class MaxRL(Weighting):
    """MaxRL (tajwarfahim/maxrl): the advantage over the pass rate, ``w_k = 1 / mu``, ``D`` = all tokens.

    As the number of responses grows, this is the gradient of ``ln mu``: the harder a prompt, the more it counts.
    """

    normaliser = "all_tokens"

    def bin_weights(self, pass_rate: torch.Tensor) -> torch.Tensor:
        return 1 / pass_rate


@named("easy")
class Easy(Weighting):
    """Ablation, the mirror of ``maxrl``: ``w_k = 1 / (1 - mu)``. A comparison should see it fall behind."""

    normaliser = "all_tokens"

    def bin_weights(self, pass_rate: torch.Tensor) -> torch.Tensor:
        return 1 / (1 - pass_rate)


@named("dapo")
class DAPO(GRPO):
    """DAPO (arXiv 2503.14476): GRPO's weight and normaliser.

    The rest of the method is in other settings: ``clip_ratio_high`` above ``clip_ratio_low``, and
    ``algorithm.filter_groups``, which replaces prompts with pass rate 0 or 1 before training.
    """


@named("dr_grpo")
class DrGRPO(Weighting):
    """Dr.GRPO (arXiv 2503.20783): ``f = 1``, ``D`` = responses of a mini-batch x longest response, a constant."""

    normaliser = "token_budget"
    raw_rewards = True


@named("lipo")
class LIPO(Weighting):
    """Lite PPO (arXiv 2508.08221): ``f = 1 / (std of the whole batch's rewards + 1e-6)``, ``D`` = all tokens.

    The deviation is the unbiased one, over all responses of the batch from which advantages are computed.
    """

    normaliser = "all_tokens"
    raw_rewards = True

    def advantage_factor(self, groups: PromptGroups) -> torch.Tensor:
        scores = groups.scores[groups.adds].double()
        deviation = scores.std() if len(scores) > 1 else torch.zeros((), dtype=torch.float64, device=scores.device)
        return torch.ones_like(groups.pass_rate) / (deviation + EPSILON)
