"""``python -m daro_verl.toolkit.evaluation``: checkpoints on the benchmarks, and runs side by side.

- ``checkpoint.py``, ``convert.py``: what CHECKPOINT means, as a Hugging Face model;
- ``problems.py``, ``prompts.py``, ``scoring.py``: what is asked, as tokens, and what is right;
- ``engines/``: vLLM and SGLang; ``loop.py``: rows through them;
- ``settings.py``, ``records.py``: what survives an interruption; ``run.py``: all of it;
- ``statistics.py``, ``summary.py``, ``report.py``, ``compare.py``: rows to figures, pure functions but for the files.
"""
