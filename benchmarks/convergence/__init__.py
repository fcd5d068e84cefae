"""Does DARO learn faster? All weightings from the same models, on generated problems with a spread of difficulty.

Small models on a small task, so that five paired seeds of every method take minutes: what is compared is how the
methods weight difficulties, not what a large model would gain. Advantages, weights and losses are the package's own,
the policy loss is verl's.

    python -m benchmarks.convergence --quick                 # under 5 minutes on 2 cores; compares nothing
    python -m benchmarks.convergence                         # the main comparison
    python -m benchmarks.convergence --study all             # and the studies of studies.py
    python -m benchmarks.convergence --tables-only           # tables and figures of what is finished

An interrupted campaign goes on where it was. Runs are under ``outputs/convergence``, tables and figures under
``benchmarks/convergence/results``.
"""
