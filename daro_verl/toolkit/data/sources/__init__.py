"""Every data set, by name. A new one is a file here with a ``SOURCE``, and a line below."""

from daro_verl.toolkit.data.problem import Source
from daro_verl.toolkit.data.sources import aime24, aime25, amc, dapo, math, math500, minerva, olympiadbench, openr1

TRAINING = {module.SOURCE.name: module.SOURCE for module in (openr1, dapo, math)}
BENCHMARKS = {module.SOURCE.name: module.SOURCE for module in (aime24, aime25, amc, math500, minerva, olympiadbench)}
SOURCES: dict[str, Source] = {**TRAINING, **BENCHMARKS}
