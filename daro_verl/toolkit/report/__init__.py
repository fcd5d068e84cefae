"""``daro report``: draw the paper's figures from the logs of a verl job.

- ``run_sources.py``, ``run_logs.py``: runs and their logs (``log_files.py``), joined over resumes
  (``history.py``);
- ``metric_names.py``, ``statistics.py``, ``method_curves.py``: tidy tables of the figures, averaged over seeds;
- ``figures/``: one module per figure; ``section.py``, ``theme.py``, ``drawing.py``: what they share;
- ``report_writer.py``, ``page.py``, ``template.py``: the files and the page; ``commands.py``: the command line.
"""
