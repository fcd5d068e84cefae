"""``daro doctor``: whether a DARO job will run here, in about ten seconds, before anything is trained.

- ``command.py``: the command, what it prints and its exit code;
- ``lines.py``: one line of the answer;
- ``versions.py``: what is installed against what is expected; ``engines.py``: rollout engines and what GPUs need;
- ``loading.py``: whether verl loads the plugin; ``probes.py``: what runs in fresh processes and Ray workers to tell;
- ``machine.py``: devices, disk, shared memory, open files.
"""

from daro_verl.toolkit.doctor.command import doctor

__all__ = ["doctor"]
