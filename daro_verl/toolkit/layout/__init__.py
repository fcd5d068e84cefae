"""``daro layout``: the charts of a DARO job, ready for TensorBoard and for Weights & Biases.

- ``charts.py``: which metrics stand together; ``tensorboard.py``, ``wandb.py``: as each of the two wants it;
- ``commands.py``: the command line.
"""
