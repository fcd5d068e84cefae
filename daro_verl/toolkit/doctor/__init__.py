"""``daro doctor``: check in about ten seconds whether a DARO job can run here, before any training.

- ``command.py``: the command, its output and its exit code;
- ``lines.py``: one line of the answer;
- ``versions.py``: installed and expected versions; ``engines.py``: rollout engines, and packages for GPUs;
- ``loading.py``: whether verl loads the plugin; ``probes.py``: the code that checks it in fresh processes and Ray
  workers;
- ``machine.py``: devices, disk, shared memory, open files.
"""

from daro_verl.toolkit.doctor.command import doctor

__all__ = ["doctor"]
