"""DARO (Difficulty-Aware Reweighting Policy Optimization, arXiv 2510.09001) for verl.

What a reader wants to open first:

- ``plugin.py``: what verl loads, in every process;
- ``seams.py``: every place where verl is touched;
- ``advantage/``: pass rates, bins, weightings and advantages, as pure functions on tensors;
- ``workers/``: the learned difficulty weights and the actor worker that trains with them;
- ``platform/``: verl, Megatron-core and vLLM on a machine without a GPU;
- ``report/``: the paper's figures from what a job logged;
- ``reward/``: math answers, verified in processes that end at a deadline;
- ``data/``, ``models/``: data sets in verl's schema, and models, checked before a job starts.
"""

__version__ = "0.1.0"
