"""Every data set, by name. To add one, add a line to ``SOURCES`` in ``training_sets.py`` or ``benchmarks.py``."""

from daro_verl.toolkit.data.problem import Source
from daro_verl.toolkit.data.sources import benchmarks, training_sets

TRAINING = {source.name: source for source in training_sets.SOURCES}
BENCHMARKS = {source.name: source for source in benchmarks.SOURCES}
"""The paper's six, which `daro data test` writes if you name none."""
TESTS = BENCHMARKS | {source.name: source for source in benchmarks.MORE}
SOURCES: dict[str, Source] = {**TRAINING, **TESTS}
