"""``daro layout``: the charts of a DARO job, ready for TensorBoard and for Weights & Biases.

- ``charts.py``: which metrics share a chart; ``tensorboard.py``, ``wandb.py``: the charts in each tool's form;
- ``commands.py``: the command line.
"""
