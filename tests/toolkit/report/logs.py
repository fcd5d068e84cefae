"""Logs as verl writes them, with numbers that a test can compute again."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from daro_verl.toolkit.report.run_logs import LoggedRun, read_run
from daro_verl.toolkit.report.run_sources import parse_sources

G = 4
SOURCES = {"math-ai/aime24": 0.2, "math500": 0.6}


def weight(k: int, step: int) -> float:
    return 1 + 0.1 * k * step


def loss(k: int, step: int) -> float:
    return 0.1 * k + 0.01 * step


def metrics(step: int, daro: bool = True, offset: float = 0.0) -> dict[str, float]:
    """A training step. Bin 3 is only present in odd steps; ``offset`` tells seeds apart."""
    found = {"training/global_step": step, "actor/entropy": 1 / (1 + step), "response_length/mean": 100.0 + step}
    found |= {"critic/rewards/mean": 0.5 + offset, "critic/score/mean": 0.5 + offset, "perf/throughput": 9.0}
    for k in range(1, G) if daro else ():
        found[f"actor/daro/weight/{k}of{G}"] = weight(k, step)
        if k < 3 or step % 2:
            found |= {
                f"actor/daro/loss/{k}of{G}": loss(k, step),
                f"actor/daro/loss_on_policy/{k}of{G}": 0.9 * loss(k, step),
                f"actor/daro/loss_share/{k}of{G}": 1 / 3 if step % 2 else 1 / 2,
                f"actor/daro/length_right/{k}of{G}": 100.0 * k,
                f"actor/daro/length_wrong/{k}of{G}": 150.0 * k,
                f"actor/daro/token_share_right/{k}of{G}": 0.1 * k,
                f"actor/daro/token_share_wrong/{k}of{G}": 0.05 * k,
            }
    if daro:
        found |= {f"actor/daro/response_share/{k}of{G}": 1 / (G + 1) for k in range(G + 1)}
        found |= {"actor/daro/loss_share_ratio": 1.0}
    return found


def validation(offset: float = 0.0) -> dict[str, float]:
    """Mean over the two sources: 0.4 + offset."""
    rates = {f"val-core/{source}/acc/mean@8": rate + offset for source, rate in SOURCES.items()}
    return rates | {f"val-core/{source}/acc/best@8/mean": 0.99 for source in SOURCES}


def write_json_lines(path: Path, records: Mapping[int, Mapping], tail: str = "") -> Path:
    """As verl's FileLogger writes: NaN is null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    clean = {step: {k: None if math.isnan(v) else v for k, v in data.items()} for step, data in records.items()}
    lines = [json.dumps({"step": step, "data": data}) + "\n" for step, data in clean.items()]
    path.write_text("".join(lines) + tail)
    return path


def write_events(directory: Path, records: Mapping[int, Mapping]) -> Path:
    """As verl's TensorBoard logger writes: torch's SummaryWriter, a scalar per metric. Returns the new event file."""
    from torch.utils.tensorboard import SummaryWriter

    before = set(directory.glob("*")) if directory.exists() else set()
    writer = SummaryWriter(str(directory), filename_suffix=f".{len(before)}")
    for step, data in records.items():
        for name, value in data.items():
            writer.add_scalar(name, value, step)
    writer.close()
    (file,) = set(directory.glob("*")) - before
    return file


def read(path: Path | str) -> LoggedRun:
    (source,) = parse_sources([str(path)])
    return read_run(source)
