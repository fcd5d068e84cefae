"""``daro models``: model directories that a job can start from.

- ``prepare``: a copy of a model with its weights linked and its configuration rewritten: ``origin.py`` (where from),
  ``families.py`` (what a family of models needs, pure), ``rotary.py`` (its positions, in both forms of
  ``config.json``), ``directory.py`` (in one rename), ``prepare.py``;
- ``check``: ``shape.py`` (sizes of a model), ``layout.py`` (rules of Megatron, vLLM and verl, pure), ``tokenizer.py``.
"""
