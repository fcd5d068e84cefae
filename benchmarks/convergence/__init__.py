"""Does DARO learn faster? All weightings from the same models, on generated problems with a spread of difficulty.

Small models on a small task, so that twenty paired seeds of every method take minutes: what is compared is how the
methods weight difficulties, not what a large model would gain. Advantages, weights and losses are the package's own,
the policy loss is verl's. regimes.py has what is varied and why, studies.py what is asked, in which order.

    python -m benchmarks.convergence --quick                 # under 5 minutes on 2 cores; compares nothing
    python -m benchmarks.convergence                         # every study, under three hours on 2 cores
    python -m benchmarks.convergence --study confirmation    # one of them
    python -m benchmarks.convergence --tables-only           # tables and figures of what is finished

An interrupted campaign goes on where it was. Runs are under ``outputs/convergence``, tables and figures under
``benchmarks/convergence/results``, and what is found in ``docs/evidence.md``.
"""
