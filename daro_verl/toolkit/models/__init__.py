"""``daro models``: model directories that a job can start from.

``prepare`` copies a model, with its weights linked and its configuration rewritten:

- ``prepare.py``: the command; ``origin.py``: where the model comes from;
- ``families.py``: the changes for a family of models (pure);
- ``rotary.py``: the positions, in both forms of ``config.json``;
- ``directory.py``: the new directory, which appears in one rename.

``check`` compares a model with a layout: ``shape.py`` (sizes of a model), ``layout.py`` (rules of Megatron, vLLM and
verl, pure), ``tokenizer.py``.
"""
