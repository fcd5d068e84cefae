"""The comparison on a real pretrained model, in one process: one more regime of ``benchmarks.convergence``.

SmolLM2-135M-Instruct on arithmetic without worked examples, where wrong responses are at first longer than right ones.
Rounds, optimizer steps, records and tables are those of the toy; advantages, weights and losses are the package's own.
A run that was stopped goes on after its last finished round.

    python -m benchmarks.real_model                          # GRPO and DARO, seed 0, 40 steps, on two cores
    python -m benchmarks.real_model --seeds 3 --methods GRPO DARO focal LIPO --device cuda   # on one GPU
    python -m benchmarks.real_model --tables-only            # tables and figures of what is finished

Runs are under ``outputs/real_model``, tables and figures under ``benchmarks/real_model/results``.
"""
