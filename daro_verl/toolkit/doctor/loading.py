"""Check that verl loads the plugin, in a process like the driver's and in Ray workers."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from daro_verl.toolkit.doctor.lines import Line, ok, wrong
from daro_verl.toolkit.doctor.probes import ANSWER
from daro_verl.toolkit.doctor.versions import FROM_THE_CLONE

LIMIT_S = 90.0  # usually ten seconds are enough, but not on a busy machine


class Probe:
    """A fresh Python process that runs ``probes.py``. It works while the caller does something else."""

    def __init__(self, question: str) -> None:
        command = [sys.executable, "-m", "daro_verl.toolkit.doctor.probes", question]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def answer(self, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """Return the process's answer; ``{"error": reason}`` if there is none within the limit."""
        try:
            out, log = self._process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return {"error": f"no answer within {limit_s:.0f} s"}
        answers = [line.removeprefix(ANSWER) for line in out.splitlines() if line.startswith(ANSWER)]
        if not answers:
            return {"error": (log.strip() or "no message").splitlines()[-1]}
        found: dict[str, Any] = json.loads(answers[-1])
        return found


def ray_lines(answer: Mapping[str, Any], own: Mapping[str, Any], address: str | None) -> list[Line]:
    """One line for the worker on each node.

    Args:
        answer: ``workers``, the result of :func:`~daro_verl.toolkit.doctor.probes.load_verl` for each; or ``error``.
        own: the same result for this process.
        address: RAY_ADDRESS.
    """
    if "workers" not in answer:
        where = f"the cluster RAY_ADDRESS={address}" if address else "Ray, started here"
        by_hand = "start Ray by hand to see the reason: ray start --head"
        fix = "check with ray status; or unset RAY_ADDRESS to start Ray here" if address else by_hand
        return [wrong("Ray", f"{answer['error']} ({where})", "workers that answer", fix)]
    return [plugin_line(f"plugin in a Ray worker on {one['node']}", one, own) for one in answer["workers"]]


def plugin_line(subject: str, answer: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> Line:
    """The verdict on one process.

    Args:
        subject: the subject of the line.
        answer: the result of :func:`~daro_verl.toolkit.doctor.probes.load_verl`.
        own: the same for the process that starts the job. The versions must be equal.
    """
    if answer["error"]:
        return wrong(subject, answer["error"], "a plugin that loads", "install what is missing; see the versions")
    for name in ("verl", "daro_verl"):
        if own and own.get(name) and answer[name] != own[name]:
            package = name.replace("_", "-")
            expected, fix = f"{own[name]}, as where the job starts", "install the same version (docs/install.md)"
            return wrong(subject, f"{package} {answer[name]}", expected, fix)
    if answer["loaded"]:
        return ok(subject, f"loaded by verl {answer['verl']}")
    if answer["policy"].strip().lower() != "auto":
        got, fix = f"VERL_USE_EXTERNAL_PLUGINS={answer['policy']}", "unset it, or add daro to its names"
        return wrong(subject, got, "auto, or names with daro in them", fix)
    got = "a plugin that verl did not load" if answer["entry_point"] else "no entry point daro_verl.plugin"
    return wrong(subject, got, "one that verl finds", f"{FROM_THE_CLONE}, with the Python that runs the job")
