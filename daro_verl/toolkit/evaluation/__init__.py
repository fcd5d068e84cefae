"""``daro evaluate`` and ``daro compare``: checkpoints on the benchmarks, and runs side by side.

- ``commands.py``, ``evaluation_spec.py``: the command line;
- ``checkpoint.py``, ``convert.py``: what CHECKPOINT means, as a Hugging Face model;
- ``benchmark_file.py``, ``rendering.py``: what is asked, and as which tokens;
- ``inference.py``, ``vllm_engine.py``, ``sglang_engine.py``; ``answering.py``: problems through them, to scored rows;
  ``sample_seed.py``: the seed of each response;
- ``settings.py``, ``row_file.py``, ``launches.py``: what survives an interruption; ``run.py``: all of it;
- ``summary.py``, ``estimates.py``, ``report_files.py``, ``compare.py``: rows to figures, pure functions but for the
  files.
"""
