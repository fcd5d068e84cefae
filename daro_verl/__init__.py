"""DARO (Difficulty-Aware Reweighting Policy Optimization, arXiv 2510.09001) for verl.

Where to start reading:

- ``objective.py``: the paper, from the pass rate to the update of the weights;
- ``plugin.py``: what verl loads in every process; ``seams.py``: every place where verl is touched;
- ``config.py``, ``job.py``, ``refusals.py``: options, and a job checked and prepared before any worker starts;
- ``advantage/``: pass rates, groups, weightings and advantages, as pure functions on tensors;
- ``workers/``: the actor worker that trains with the learned weights, their checkpoint and metrics;
- ``rollout/``: what the vLLM and SGLang servers know of the weights, and the replay buffer that counts by difficulty;
- ``prompts/``: the memory of each prompt's difficulty, and the choice of prompts by it;
- ``platform/``: verl, Megatron-core and the engines on a machine without a GPU;
- ``reward/``: math answers, verified in processes that end at a deadline;
- ``toolkit/`` and ``cli.py`` (``daro``): data, models, recipes, evaluation, report and doctor, around a training.

``docs/architecture.md`` walks through a job, file by file.
"""

__version__ = "0.1.0"
