"""Hard kills of a short job at random moments, each resumed and compared with an uninterrupted run, bit by bit.

    python -m benchmarks.interruptions --kills 20 --seed 0 --output benchmarks/results/interruptions.json

The job (``job.py``): two Megatron-core ranks (TP = 2, float32) with verl's engine and DARO's actor worker, checkpoints
through verl's own ``PPOTrainer._save_checkpoint`` and ``_load_checkpoint``. Not in it: rollout, Ray and verl's training
loop; ``trainer.py`` stands in for the loop. A kill is SIGKILL to the group of all processes of the job, so no handler
runs; what the kernel holds in its page cache survives, as it does not when a machine loses its power.
"""
