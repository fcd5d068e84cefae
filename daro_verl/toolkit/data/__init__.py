"""``daro data``: training sets, benchmarks and generated tasks as verl's parquet files.

- ``commands.py``, ``file_options.py``, ``display.py``: the command line and its output;
- ``sources/``: where the training sets, the benchmarks and reasoning-gym are, and what their rows mean;
- ``problem.py``, ``raw_fields.py``, ``answers.py``, ``cleaning.py``: from a raw row to a problem, or to a reason to
  drop it;
- ``raw_rows.py``, ``dataset_spec.py``, ``build.py``, ``shards.py``: reading rows, and surviving an interruption;
- ``parquet_file.py``, ``row_tally.py``: the finished file, and the counts beside it.
"""
