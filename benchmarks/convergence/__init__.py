"""Does DARO learn faster? All weightings start from the same models, on generated problems of different difficulty.

Models and task are small, so that twenty paired seeds of every method take minutes. The benchmark compares how methods
weight difficulties, not what a large model would gain. Advantages, weights and losses are the package's own; the policy
loss is verl's. regimes.py lists what varies and why. studies.py lists the questions, in their order.

    python -m benchmarks.convergence --quick                 # under 5 minutes on 2 cores; compares nothing
    python -m benchmarks.convergence                         # every study, under three hours on 2 cores
    python -m benchmarks.convergence --study confirmation    # one of them
    python -m benchmarks.convergence --tables-only           # tables and figures of what is finished

An interrupted campaign goes on where it stopped. Runs are under ``outputs/convergence``, tables and figures under
``benchmarks/convergence/results``, and the findings in ``docs/evidence.md``.
"""
