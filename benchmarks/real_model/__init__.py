"""The comparison on a real pretrained model, in one process. It is one more regime of ``benchmarks.convergence``.

SmolLM2-135M-Instruct solves arithmetic without worked examples. At first its wrong responses are longer than its right
ones. Rounds, optimizer steps, records and tables are those of the toy. Advantages, weights and losses are the package's
own. A stopped run goes on after its last finished round.

    python -m benchmarks.real_model                          # GRPO and DARO, seed 0, 40 steps, on two cores
    python -m benchmarks.real_model --seeds 3 --methods GRPO DARO focal LIPO --device cuda   # on one GPU
    python -m benchmarks.real_model --tables-only            # tables and figures of what is finished

Runs are under ``outputs/real_model``, tables and figures under ``benchmarks/real_model/results``.
"""
