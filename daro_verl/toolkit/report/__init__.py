"""The paper's figures from what a verl job logged: ``python -m daro_verl.toolkit.report RUN [RUN ...]``.

- ``arguments.py``, ``reading.py``: runs and their logs (``json_lines.py``, ``event_files.py``), joined over resumes
  (``attempts.py``);
- ``metrics.py``, ``statistics.py``, ``units.py``: tidy tables of what is drawn, smoothed and averaged over seeds;
- ``figures/``: one module per figure; ``theme.py``, ``drawing.py``: what they share;
- ``page.py``, ``template.py``: the page.
"""
