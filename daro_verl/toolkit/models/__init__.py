"""``python -m daro_verl.toolkit.models``: model directories that a job can start from.

- ``prepare``: a copy of a model with its weights linked and its configuration rewritten: ``recipes.py`` (what a family
  needs), ``config_file.py`` and ``templates.py`` (pure), ``origin.py`` (where from), ``directory.py`` (in one rename),
  ``prepare.py``;
- ``check``: ``shape.py`` (sizes of a model), ``layout.py`` (rules of Megatron, vLLM and verl, pure), ``tokenizer.py``.
"""
