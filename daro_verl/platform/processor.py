"""The number format that this machine's processor multiplies fast."""

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # two of x86, one of Arm


def fast_dtype(cpuinfo: Path = CPUINFO) -> str:
    """``bfloat16`` if the processor has instructions that multiply it, else ``float32``.

    With them, a bfloat16 matrix product takes half of float32's time. Without them, it takes several times that. The
    processor's flags decide, not a measurement. So a job that is resumed beside other work keeps its format.
    """
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:  # not Linux
        return "float32"
    words = next((line.split() for line in lines if line.startswith(("flags", "Features"))), [])
    return "bfloat16" if BFLOAT16_FLAGS & set(words) else "float32"
