"""Compare installed versions with the expected ranges, from the metadata of daro-verl and of verl itself."""

from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from daro_verl.toolkit.doctor.lines import Line, note, ok, wrong

Ranges = dict[str, SpecifierSet]

NEEDED = ("verl", "torch", "transformers", "tensordict", "ray", "TransferQueue")
FOR_MEGATRON = ("megatron-core", "mbridge")
FROM_THE_CLONE = "pip install --no-deps -e . in the clone of daro-verl (docs/install.md)"
VERLS_ENVIRONMENT = "use verl's image or environment (docs/install.md)"


def version_lines(on_cpu: bool) -> list[Line]:
    """A line for daro-verl, and one for each package that a training needs."""
    own = installed("daro-verl")
    if own is None:
        fix = f"{FROM_THE_CLONE}; a PYTHONPATH is not enough"
        return [
            wrong("daro-verl", "no installed package", "one, because verl finds the plugin by its entry point", fix)
        ]
    ranges, allowed = expected_versions(on_cpu), allowed_by_verl()
    return [ok("daro-verl", own)] + [
        version_line(name, installed(name), ranges, allowed, on_cpu, name in NEEDED) for name in NEEDED + FOR_MEGATRON
    ]


def version_line(
    name: str, found: str | None, ranges: Ranges, allowed: Ranges, on_cpu: bool = True, needed: bool = True
) -> Line:
    """The verdict on one package.

    Args:
        name: name of the distribution.
        found: the installed version, None if there is none.
        ranges: the result of :func:`expected_versions`. Outside verl's range, the plugin is off. Any other package gets
            only a note if verl itself allows its version.
        allowed: versions that verl allows.
        on_cpu: whether the job will run without a GPU.
        needed: whether every job needs the package. The others are for Megatron actors.
    """
    key = canonicalize_name(name)
    specifiers = ranges.get(key, SpecifierSet())
    exact = [str(one) for one in specifiers if one.operator == "=="]
    written = exact[0] if exact else ",".join(sorted(map(str, specifiers), reverse=True))  # the lower bound first
    standing = "tried" if on_cpu else "verl's own, not run with DARO on GPUs"
    fix = f'pip install "{name}{written}"' if on_cpu else VERLS_ENVIRONMENT
    if found is None:
        if needed:
            return wrong(name, "no installed package", written or "any version", fix)
        return note(name, "not installed: Megatron actors need it, FSDP2 actors do not", fix)
    if specifiers.contains(found, prereleases=True):
        return ok(name, f"{found} ({standing}: {written or 'any'})")
    if name != "verl" and key in allowed and allowed[key].contains(found, prereleases=True):
        return note(name, f"{found}: verl allows it, but it is not in {written} ({standing})", fix)
    return wrong(name, found, f"{written} ({standing})", fix)


def expected_versions(on_cpu: bool) -> Ranges:
    """By canonical name: the ranges of daro-verl's extras, and verl's own pins for packages on a GPU.

    On a CPU these ranges were tried. On GPUs they contain the versions of verl's own environments (tests/install).
    """
    ranges = {**_ranges("verl", "sglang"), **_ranges("verl", "vllm"), **_ranges("daro-verl", "megatron")}
    return {**ranges, **_ranges("daro-verl", "cpu")} if on_cpu else ranges


def allowed_by_verl() -> Ranges:
    """By canonical name: the ranges in verl's metadata, in general and for Megatron."""
    return {**_ranges("verl", "megatron"), **_ranges("verl", "")}


def installed(*names: str) -> str | None:
    """The version of the first of these distributions that is installed."""
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _ranges(distribution: str, extra: str) -> Ranges:
    try:
        return ranges_of(metadata.requires(distribution) or [], distribution, extra)
    except metadata.PackageNotFoundError:
        return {}


def ranges_of(requires: list[str], distribution: str, extra: str) -> Ranges:
    """The ranges of an extra, also through other extras of the same distribution.

    ``""`` gives the ranges of packages that are always needed.

    Args:
        requires: the distribution's ``Requires-Dist``.
        distribution: its name.
        extra: the extra's name.
    """
    ranges: Ranges = {}
    for requirement in map(Requirement, requires):
        in_extra = requirement.marker is not None and "extra" in str(requirement.marker)
        if in_extra != bool(extra) or (requirement.marker and not requirement.marker.evaluate({"extra": extra})):
            continue
        name = canonicalize_name(requirement.name)
        if name == canonicalize_name(distribution):
            for other in requirement.extras:
                ranges |= ranges_of(requires, distribution, other)
        else:
            ranges[name] = ranges.get(name, SpecifierSet()) & requirement.specifier
    return ranges
