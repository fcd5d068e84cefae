"""Our own part of the layout: any split of a mini-batch over ranks and micro-batches, with the engines' arithmetic.

The log-probabilities are given, so nothing but DARO's scaling, the loss and the weights' updates is measured, in the
float32 that a training job uses, against the formula in float64. Context parallelism is here too: it needs Transformer
Engine to run, but what it does to the loss is arithmetic (see ``ranks/test_layouts.py`` for the chain).
"""

import pytest
import torch

from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.mini_batch import MiniBatch
from tests.unit.bins import micro_batch, mini_batch_of, token_mean, tokens_of

G, ROWS, LENGTH, STEPS = 8, 80, 24, 3
BOUND = 1e-6  # relative


def batches() -> list[dict[str, torch.Tensor]]:
    made = []
    for seed in range(STEPS):
        generator = torch.Generator().manual_seed(seed)
        lengths = torch.randint(1, LENGTH + 1, (ROWS,), generator=generator)
        made.append(
            {
                "bins": torch.randint(0, G + 1, (ROWS,), generator=generator),
                "mask": torch.arange(LENGTH) < lengths[:, None],
                "log_prob": torch.randn(ROWS, LENGTH, generator=generator) * 0.2,
                "advantage": torch.randn(ROWS, 1, generator=generator),
            }
        )
    return made


def token_loss(log_prob: torch.Tensor, advantage: torch.Tensor) -> torch.Tensor:
    ratio = log_prob.exp()
    return torch.maximum(-ratio * advantage, -ratio.clamp(0.8, 1.2) * advantage)


def formula() -> list[dict[str, torch.Tensor]]:
    """Float64, one process, no split: ``sum_k w_k L_k`` written out bin by bin."""
    weights, steps = DifficultyWeights(G, {"weighting": "paper", "weight_lr": 0.5}), []
    for rows in batches():
        log_prob = rows["log_prob"].double().requires_grad_()
        losses = token_loss(log_prob, rows["advantage"].double())
        in_bin = [(rows["bins"] == k)[:, None] & rows["mask"] for k in range(1, G)]
        per_bin = torch.stack([losses[where].mean() for where in in_bin])
        loss = (weights.weights() * per_bin).sum()
        loss.backward()
        weights.step(per_bin.detach(), torch.ones(G - 1, dtype=torch.bool))
        steps.append({"loss": loss.detach(), "gradient": log_prob.grad, "losses": per_bin.detach()})
        steps[-1]["weights"] = weights.weights()
    return steps


def split_rows(num_parts: int, order: torch.Tensor) -> list[torch.Tensor]:
    """``order`` cut into parts of uneven size: 1, 2, 3, ... shares."""
    shares = torch.arange(1, num_parts + 1)
    ends = (shares.cumsum(0) * len(order) // shares.sum()).tolist()
    return [order[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]


def on_ranks(num_ranks: int, num_micro_batches: int, regime: str, order: torch.Tensor) -> list[dict[str, torch.Tensor]]:
    weights, steps = DifficultyWeights(G, {"weighting": "paper", "weight_lr": 0.5}), []
    for rows in batches():
        log_prob = rows["log_prob"].clone().requires_grad_()
        parts = order.chunk(num_ranks)
        tokens = sum(tokens_of(rows["bins"][part], rows["mask"][part], G) for part in parts)
        scale = weights.scale(tokens)
        ranks = [mini_batch_of(scale) for _ in parts]
        losses = []
        for rank, part in zip(ranks, parts, strict=True):
            for micro in split_rows(num_micro_batches, part):
                losses.append(loss_of(rank, rows, log_prob, micro, num_ranks))
        loss = engine(losses, regime, num_ranks, num_micro_batches, num_tokens=int(rows["mask"].sum()))
        loss.backward()
        sums = sum(rank.sums for rank in ranks)
        per_bin = sums[1:-1] / tokens[1:-1]
        weights.step(per_bin, tokens[1:-1] > 0)
        steps.append({"loss": loss.detach(), "gradient": log_prob.grad, "losses": per_bin})
        steps[-1]["weights"] = weights.weights()
    return steps


def loss_of(rank: MiniBatch, rows: dict, log_prob: torch.Tensor, micro: torch.Tensor, dp_size: int) -> torch.Tensor:
    advantages = rows["advantage"][micro].expand(-1, LENGTH)
    data = micro_batch(advantages, rows["mask"][micro], rows["bins"][micro], dp_size)
    return rank.loss(token_mean(token_loss), {"log_probs": log_prob[micro]}, data)[0]


def engine(losses: list[torch.Tensor], regime: str, dp: int, micro_batches: int, num_tokens: int) -> torch.Tensor:
    """What an engine makes of the micro-batches' losses before the optimizer sees the gradient, on all ranks."""
    if regime == "megatron":  # verl multiplies by the micro-batches, the schedule divides; mean over ranks
        return sum(loss * micro_batches / micro_batches for loss in losses) / dp
    if regime == "fsdp2":
        return sum(losses) / dp
    # Per-token regime (context parallelism through Megatron-Bridge): loss * N / dp, summed over ranks, divided by N.
    return sum(loss * num_tokens / dp for loss in losses) / num_tokens


def largest_difference(num_ranks: int, num_micro_batches: int, regime: str, order: torch.Tensor) -> float:
    """Over the steps, of the gradient, ``L_k``, the weights and the loss (relative to ``sum_k |L_k|``)."""
    found = []
    for got, want in zip(on_ranks(num_ranks, num_micro_batches, regime, order), formula(), strict=True):
        for name in ("gradient", "losses", "weights"):
            found.append(((got[name].double() - want[name]).norm() / want[name].norm()).item())
        found.append(abs(got["loss"].item() - want["loss"].item()) / want["losses"].abs().sum().item())
    return torch.tensor(found).max().item()  # NaN if one is; Python's max would hide it


REGIMES = ("megatron", "fsdp2", "per-token (context parallel)")
ORDERS = {"given": torch.arange(ROWS), "shuffled": torch.randperm(ROWS, generator=torch.Generator().manual_seed(1))}


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize(
    ("num_ranks", "num_micro_batches", "order"),
    [(1, 1, "given"), (1, 5, "shuffled"), (2, 2, "shuffled"), (4, 1, "shuffled"), (4, 5, "given")],
)
def test_our_own_part_is_exact_in_float32(regime, num_ranks, num_micro_batches, order):
    assert largest_difference(num_ranks, num_micro_batches, regime, ORDERS[order]) <= BOUND
