"""Obstacle: verl names the CPU twice in the backend string of its process group."""

from types import ModuleType


def name_one_device_once(distributed: ModuleType) -> None:
    """Make verl initialise ``cpu:gloo,cuda:gloo``, which torch accepts without CUDA.

    ``verl.utils.distributed`` (verl 0.9.1) writes ``f"cpu:gloo,{device}:{backend}"``; for the device ``cpu`` torch
    refuses the duplicate. The device name is used for nothing else in that module. Not needed once verl leaves the
    ``cpu`` part out for a platform that is itself the CPU.
    """
    distributed.get_device_name = lambda: "cuda"
