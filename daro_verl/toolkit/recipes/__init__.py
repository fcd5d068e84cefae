"""``daro recipe``: the checks of ``recipes/run_*.sh`` before verl starts. The settings are in ``recipes/config/``.

- ``commands.py``: the command; ``plan.py``: a job, composed and checked;
- ``shortcuts.py``: environment variables; ``compose.py``: verl's whole configuration, and verl's and DARO's own checks;
- ``setting_rules.py``: the allowed values of each setting;
- ``arithmetic.py``: batches, budgets and ranks (``sizes.py``);
- ``memory.py``: an estimate per GPU; ``host_memory.py``: an estimate for a machine without a GPU;
- ``files.py``: model and data; ``prompts.py``: lengths of prompts; ``software.py``: installed packages;
- ``output.py``: the attempts of a run, and which run owns a folder; ``show.py``: the output;
- ``smoke.py`` and ``tiny_model.py``: a run without a GPU.
"""
