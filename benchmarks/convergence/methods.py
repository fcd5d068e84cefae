"""What is compared."""

from benchmarks.convergence.runs import Method
from daro_verl.advantage import Learned, weighting

LITERAL = {"weighting": "learned", "weight_lr": 0.05, "weight_init": 1.0, **weighting.LITERAL}
"""The paper's objective as written; what the paper leaves open (rate, start, clamp) as the package has it."""


def fixed(name: str, method: str) -> Method:
    return Method(name, {"weighting": method})


def default(name: str, **changes: object) -> Method:
    """The package's default with changes to it."""
    return Method(name, {**LITERAL, **Learned.defaults, **changes})


def candidate(name: str, cls: str, **options: object) -> Method:
    return Method(name, {"weighting": f"benchmarks.convergence.candidates.{cls}", **options})


GRPO, DR_GRPO, LIPO = fixed("GRPO", "grpo"), fixed("Dr.GRPO", "dr_grpo"), fixed("LIPO", "lipo")
DAPO = Method("DAPO", {"weighting": "dapo"}, clip_high=0.28, dynamic_sampling=True)
BASELINES = (GRPO, DR_GRPO, LIPO, DAPO)
FOCAL, MAXRL, EASY = fixed("F-GRPO", "focal"), fixed("MaxRL", "maxrl"), fixed("easy (control)", "easy")
PAPER = Method("DARO, paper's form", LITERAL)
DARO = default("DARO, default")
LEANING = candidate("DARO, leaning", "Leaning")
BY_ROOT = candidate("DARO, leaning by the root", "LeaningByRoot")
CANDIDATES = (LEANING, BY_ROOT)

VARIANTS = (
    *CANDIDATES,
    candidate("leaning by the root, at once", "LeaningByRootAtOnce"),
    candidate("leaning, average over 50", "Leaning", loss_ema_decay=0.98),
    candidate("leaning, weight_lr 0.02", "Leaning", weight_lr=0.02),
    candidate("on GRPO's shape", "OverGRPO"),
    candidate("on GRPO's shape, by the root", "OverGRPOByRoot"),
    candidate("on MaxRL's shape, by the root", "OverMaxRLByRoot"),
    candidate("scale-free 1 / L", "ScaleFree"),
    default("default, raw weights", weight_scale="raw"),
    default("default, clamp 0.01 .. 100", weight_min=0.01, weight_max=100.0),
)


def with_dynamic_sampling(method: Method) -> Method:
    return Method(f"{method.name}, dynamic sampling", method.options, method.clip_high, dynamic_sampling=True)
