"""Which verl this version of daro-verl was tried with."""

from packaging.specifiers import SpecifierSet

from daro_verl.errors import got_expected_fix

SUPPORTED_VERL = SpecifierSet(">=0.9.1,<0.9.2")


def problem_with(verl_version: str) -> str | None:
    """Why ``verl_version`` is not supported, as got / expected / fix; None if it is."""
    if SUPPORTED_VERL.contains(verl_version, prereleases=True):
        return None
    return got_expected_fix(
        "verl",
        verl_version,
        f"a version in {SUPPORTED_VERL} (the ones daro-verl was tried with)",
        f'pip install "verl{SUPPORTED_VERL}", or a daro-verl made for your verl; jobs without DARO are not affected',
    )
