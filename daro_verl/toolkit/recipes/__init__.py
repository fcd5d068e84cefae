"""``python -m daro_verl.toolkit.recipes``: what ``recipes/run_*.sh`` do with their knobs, before verl starts.

Not to be confused with ``daro_verl.toolkit.models.recipes``: what a family of models needs before a job can start from it.

- ``kinds.py`` and ``knobs.py``: every knob, its values, and the keys of verl that it sets; ``misspelled.py``: names
  that are nearly a knob's; ``methods.py``: what the methods of the paper set; ``overrides.py``: all of it as Hydra
  overrides;
- ``compose.py``: verl's whole configuration, and verl's and DARO's own checks of it; ``job.py``: the numbers in it;
- ``arithmetic.py`` (batches, budgets, ranks), ``memory.py`` (an estimate per GPU), ``shapes.py`` (sizes of the models),
  ``files.py`` (model and data), ``prompts.py`` (their lengths), ``software.py``: checks, each problem as got, expected
  and fix;
- ``show.py`` prints; ``output.py``: attempts of a run, and whose directory it is; ``smoke.py``: a tiny model and data.
"""
