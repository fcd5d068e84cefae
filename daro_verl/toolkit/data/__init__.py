"""``python -m daro_verl.toolkit.data``: training sets, benchmarks and generated tasks as verl's parquet files.

- ``sources/``: one file per data set: where it is, and what its rows mean;
- ``fields.py``, ``answers.py``, ``text.py``, ``prompts.py``: text to text, pure functions;
- ``golds.py``: whether an answer can be scored, by a worker of the math reward;
- ``cleaning.py``: the verdict on one row; ``schema.py``: its form in the file; ``report.py``: what was dropped and why;
- ``loading.py``, ``shards.py``, ``finished.py``, ``build.py``: files in, files out, and what survives an interruption.
"""
