"""The seed of one response. With it, responses depend neither on the layout of the engines nor on interruptions.

An engine's own random numbers are not used. Data-parallel copies would begin with equal ones, and give equal responses
to one problem. After a restart they would begin again.
"""

import hashlib

SEEDING = "per_sample"  # the entry in settings.json for responses drawn in this way


def sample_seed(seed: int, key: str, number: int) -> int:
    """First 63 bits of SHA-256 of ``seed``, the problem's key and the response's number, counted from 0.

    There are 63, because both engines keep a seed in a signed integer of 64 bits. Two of a benchmark's 10^5 responses
    share a seed with a probability of 10^10 / 2^64 < 10^-9.
    """
    found = hashlib.sha256(f"{seed} {key} {number}".encode()).digest()
    return int.from_bytes(found[:8], "big") >> 1
