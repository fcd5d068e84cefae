"""The methods that are compared."""

from dataclasses import replace

from benchmarks.convergence.runs import Method


def fixed(name: str, method: str) -> Method:
    return Method(name, {"weighting": method})


def candidate(name: str, cls: str, **options: object) -> Method:
    return Method(name, {"weighting": f"benchmarks.convergence.candidates.{cls}", **options})


GRPO, DR_GRPO, LIPO = fixed("GRPO", "grpo"), fixed("Dr.GRPO", "dr_grpo"), fixed("LIPO", "lipo")
DAPO = Method("DAPO", {"weighting": "dapo"}, clip_high=0.28, dynamic_sampling=True)
BASELINES = (GRPO, DR_GRPO, LIPO, DAPO)
FOCAL, MAXRL, EASY = fixed("F-GRPO", "focal"), fixed("MaxRL", "maxrl"), fixed("easy (control)", "easy")
PAPER, DARO = fixed("DARO, paper's form", "paper"), fixed("DARO, default", "learned")
BY_ROOT = candidate("by the root", "LeaningByRoot")

VARIANTS = (
    BY_ROOT,
    candidate("by the root, at once", "LeaningByRootAtOnce"),
    Method("average over 50", {"weighting": "learned", "loss_ema_decay": 0.98}),
    Method("weight_lr 0.02", {"weighting": "learned", "weight_lr": 0.02}),
    candidate("on GRPO's shape", "OverGRPO"),
    candidate("on GRPO's shape, by the root", "OverGRPOByRoot"),
    candidate("on MaxRL's shape, by the root", "OverMaxRLByRoot"),
    candidate("scale-free 1 / L", "ScaleFree"),
    Method("aligned gradients", {"weighting": "benchmarks.convergence.alignment.Aligned"}, aligned=True),
)


def with_dynamic_sampling(method: Method) -> Method:
    return Method(f"{method.name}, dynamic sampling", method.options, method.clip_high, dynamic_sampling=True)


def choosing(method: Method, prompts: str) -> Method:
    return replace(method, name=f"{method.name}, {prompts}", prompts=prompts)
