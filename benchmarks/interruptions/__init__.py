"""Kill a short job at random moments, resume it, and compare it bit by bit with an uninterrupted run.

    python -m benchmarks.interruptions --kills 20 --seed 0 --output benchmarks/results/interruptions.json

The job (``job.py``) has two Megatron-core ranks (TP = 2, float32) with verl's engine and DARO's actor worker. It saves
checkpoints through verl's own ``PPOTrainer._save_checkpoint`` and ``_load_checkpoint``. It has no rollout, no Ray and
no training loop of verl; ``trainer.py`` stands in for the loop. A kill is SIGKILL to the process group of the job, so
no handler runs. The kernel's page cache survives. It would not survive a loss of power.
"""
