"""``GPU_SMOKE=1``: tiny sizes, laid out over this node's GPUs with as many kinds of parallelism as possible."""

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.recipes.setting_rules import KEY
from daro_verl.toolkit.recipes.shortcuts import Asked, render

# GPUs: TP, PP, TP of a server. What is left is data parallel. The model has two layers and two KV heads.
LAYOUTS = {1: (1, 1, 1), 2: (2, 1, 1), 4: (2, 1, 2), 8: (2, 2, 2)}


def settings(asked: Asked) -> list[str]:
    """Overrides of ``daro.yaml``. Variables and arguments override them.

    Raises:
        DaroConfigError: there is no GPU, or an unsupported number of them. A dry run uses ``GPUS``.
    """
    here, wanted = num_gpus(), asked.value_of(KEY["GPUS"])
    if not here and not (asked.dry_run and wanted):
        fix = "use SMOKE=1 on a machine without one, or DRY_RUN=1 GPUS=8 to see what would run"
        raise DaroConfigError("GPU_SMOKE", got="no GPU that torch can use", expected="one to eight GPUs", fix=fix)
    number = int(wanted) if wanted and wanted.isdigit() else here
    if number not in LAYOUTS or (number > here and not asked.dry_run):
        most = max((size for size in LAYOUTS if size <= here), default=8)
        expected = f"{', '.join(map(str, LAYOUTS))}, and no more than the {here} that are here"
        raise DaroConfigError("GPUS", got=number, expected=expected, fix=f"set GPUS={most}")
    tp, pp, rollout_tp = map(str, LAYOUTS[number])
    sizes = {KEY["GPUS"]: str(number), KEY["TP"]: tp, KEY["PP"]: pp, KEY["ROLLOUT_TP"]: rollout_tp}
    return ["size=gpu_smoke", *(render(*item) for item in sizes.items())]


def num_gpus() -> int:
    """GPUs of this node that torch can use."""
    import torch

    return torch.cuda.device_count()
