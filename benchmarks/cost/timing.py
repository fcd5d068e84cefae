"""Times of functions that run in turn, so that other work on the machine affects all of them alike."""

import gc
import time
from collections.abc import Callable
from statistics import median, quantiles

import torch


def interleave(
    functions: dict[str, Callable[[], object]],
    rounds: int,
    warm_up: int = 2,
    clock: Callable[[Callable[[], object]], float] | None = None,
) -> dict[str, list[float]]:
    """Seconds of every function in each of ``rounds`` rounds; the first of a round is another one every time.

    Args:
        clock: seconds of one call; :func:`wall_clock` by default.
    """
    clock, names = clock or wall_clock, list(functions)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    gc.collect()
    gc.disable()
    try:
        for i in range(warm_up + rounds):
            first = i % len(names)
            for name in names[first:] + names[:first]:
                taken = clock(functions[name])
                if i >= warm_up:
                    seconds[name].append(taken)
    finally:
        gc.enable()
    return seconds


def wall_clock(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def processor_clock(function: Callable[[], object]) -> float:
    """Processor time of this process: on a busy machine it leaves out the time in which others had the processor."""
    start = time.process_time()
    function()
    return time.process_time() - start


def cuda_clock(function: Callable[[], object]) -> float:
    """Between two CUDA events around the call; waits until the device is done with it."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    function()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1000


def compare(seconds: dict[str, list[float]], name: str, baseline: str) -> dict[str, float | list[float]]:
    """``name`` over ``baseline``: the ratio of their medians, and of each round's ratio the median and quartiles."""
    ratios = [a / b for a, b in zip(seconds[name], seconds[baseline], strict=True)]
    low, middle, high = quantiles(ratios, n=4)
    return {
        "ratio": median(seconds[name]) / median(seconds[baseline]),
        "ratio by round": middle,
        "quartiles": [low, high],
    }


def milliseconds(seconds: dict[str, list[float]]) -> dict[str, float]:
    """Medians."""
    return {f"{name} ms": 1000 * median(values) for name, values in seconds.items()}
