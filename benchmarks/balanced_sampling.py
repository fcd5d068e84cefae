"""Balanced sampling against plain dynamic sampling, on the same generated responses.

    python -m benchmarks.balanced_sampling --out benchmarks/results/balanced_sampling.json

A simulation: prompts with a true pass rate each (Beta distributed, so that bins differ in size), ``G`` responses with
log-normal lengths, failures longer. Every step generates the same groups for both and drops pass rates 0 and 1; plain
dynamic sampling trains on the first of the rest, as verl's buffer does, balanced sampling on those that
``daro_verl.rollout.balance`` chooses. Shown per bin: prompts per step, and standard deviation over the steps of ``L_k``
(what it is on policy: ``mu (1-mu) (len_neg - len_pos) / len_mean`` of the bin's responses).
"""

import argparse
import json
from pathlib import Path

import torch

from daro_verl.advantage.bins import bin_label
from daro_verl.rollout.balance import balanced
from daro_verl.workers.difficulty_weights import DifficultyWeights

METHODS = ("plain", "balanced")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rollouts", type=int, default=8)
    parser.add_argument("--generated", type=int, default=256, help="prompts per step")
    parser.add_argument("--trained", type=int, default=64, help="prompts per step")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--beta", type=float, nargs=2, default=(0.5, 1.5), help="of the true pass rates")
    parser.add_argument("--longer", type=float, default=1.3, help="mean length of a failure over that of a success")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def generate(args: argparse.Namespace, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """``(success, length)``, [generated, G], of one step's groups."""
    low, high = (torch.tensor(value) for value in args.beta)
    gammas = [torch._standard_gamma(a.expand(args.generated, 1), generator=generator) for a in (low, high)]
    success = torch.rand(args.generated, args.rollouts, generator=generator) < gammas[0] / (gammas[0] + gammas[1])
    spread = torch.randn(args.generated, args.rollouts, generator=generator)
    length = 300 * torch.where(success, 1.0, args.longer) * (0.5 * spread).exp()
    return success, length.round().clamp(min=1)


def losses(bins: torch.Tensor, success: torch.Tensor, length: torch.Tensor, num_rollouts: int) -> torch.Tensor:
    """``L_k`` [G-1] on policy; NaN for an absent bin. Each response is one token that weighs as its length."""
    advantage = (success.double() - (bins / num_rollouts)[:, None]) * length
    tokens = torch.zeros(num_rollouts + 1, dtype=torch.float64).index_add_(0, bins, length.sum(-1).double())
    sums = torch.zeros_like(tokens).index_add_(0, bins, advantage.sum(-1))
    return (-sums / tokens)[1:-1]


def simulate(args: argparse.Namespace) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """By method, prompts per bin and ``L_k``, both [steps, G-1]."""
    generator = torch.Generator().manual_seed(args.seed)
    weights = DifficultyWeights(args.rollouts)
    rows: dict[str, tuple[list[torch.Tensor], list[torch.Tensor]]] = {method: ([], []) for method in METHODS}
    for _ in range(args.steps):
        success, length = generate(args, generator)
        bins = success.sum(-1)
        informative = ((bins > 0) & (bins < args.rollouts)).nonzero().flatten()
        if len(informative) < args.trained:
            raise SystemExit(f"got {len(informative)} informative groups, expected {args.trained}: raise --generated")
        chosen = balanced(bins[informative].tolist(), args.trained, args.rollouts, weights.weights().tolist())
        for method, kept in {"plain": informative[: args.trained], "balanced": informative[chosen]}.items():
            rows[method][0].append(bins[kept].bincount(minlength=args.rollouts + 1)[1:-1])
            rows[method][1].append(losses(bins[kept], success[kept], length[kept], args.rollouts))
        weights.step(rows["balanced"][1][-1].nan_to_num(), rows["balanced"][0][-1] > 0)
    return {method: (torch.stack(counts), torch.stack(of_bins)) for method, (counts, of_bins) in rows.items()}


def summary(counts: torch.Tensor, of_bins: torch.Tensor, num_rollouts: int) -> dict:
    """What is shown of one method."""
    by_bin = {
        bin_label(k, num_rollouts): {
            "prompts": counts[:, k - 1].double().mean().item(),
            "loss_std": of_bins[:, k - 1][~of_bins[:, k - 1].isnan()].std().item(),
        }
        for k in range(1, num_rollouts)
    }
    smallest = counts.amin(-1)
    return {
        "smallest_bin_mean": smallest.double().mean().item(),
        "smallest_bin_least": smallest.min().item(),
        "by_bin": by_bin,
    }


def main() -> None:
    args = parse()
    shown = {method: summary(*rows, args.rollouts) for method, rows in simulate(args).items()}
    settings = {name: value for name, value in vars(args).items() if name != "out"}
    print(json.dumps({"settings": settings, **shown}, indent=1))
    if args.out:
        args.out.write_text(json.dumps({"settings": settings, **shown}, indent=1) + "\n")


if __name__ == "__main__":
    main()
