"""``daro evaluate`` and ``daro compare``: evaluate checkpoints on the benchmarks, and compare runs.

- ``commands.py``, ``evaluation_spec.py``: the command line;
- ``checkpoint.py``, ``convert.py``: from CHECKPOINT to a Hugging Face model;
- ``benchmark_file.py``, ``rendering.py``: the problems, and the tokens of their prompts;
- ``inference.py``, ``vllm_engine.py``, ``sglang_engine.py``: the engines;
- ``answering.py``: from problems to scored rows; ``sample_seed.py``: the seed of each response;
- ``settings.py``, ``row_file.py``, ``launches.py``: the state that survives an interruption;
- ``run.py``: a whole run;
- ``summary.py``, ``estimates.py``, ``compare.py``: from rows to figures (pure); ``report_files.py``: the files.
"""
