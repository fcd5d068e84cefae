"""``daro recipe``: what ``recipes/run_*.sh`` check before verl starts. The settings are in ``recipes/config/``.

- ``commands.py``: the command; ``plan.py``: a job, composed and checked;
- ``shortcuts.py``: environment variables; ``compose.py``: verl's whole configuration, and verl's and DARO's own checks;
- ``setting_rules.py`` (what a value may be), ``arithmetic.py`` (batches, budgets, ranks of ``sizes.py``),
  ``memory.py`` (an estimate per GPU), ``host_memory.py`` (of a machine without one), ``files.py`` (model and data),
  ``prompts.py`` (their lengths), ``software.py``:
  checks;
- ``output.py``: the attempts of a run, and whose folder it is; ``show.py`` prints;
- ``smoke.py`` and ``tiny_model.py``: a run without a GPU.
"""
