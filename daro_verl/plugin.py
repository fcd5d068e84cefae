"""The plugin. verl loads it in every process that imports verl, through the entry-point group ``verl.plugins``.

verl hides the exception of a plugin that fails to load. So this module logs problems, and a job that asks for DARO is
refused with the same words. Loading attaches hooks and imports nothing heavy.
"""

import logging

import verl

from daro_verl import compatibility, logs, platform, seams
from daro_verl.official import has_own_daro

logger = logging.getLogger(__name__)


def _load() -> None:
    if platform.requested():
        platform.activate()
    if has_own_daro(verl.__path__[0]):
        logger.warning("daro-verl is off: this verl has DARO itself (verl.workers.utils.daro).")
        return
    problem = compatibility.problem_with(verl.__version__)
    if problem:
        logger.error("daro-verl is off. %s", problem)
        seams.refuse_daro(problem)
    else:
        seams.install()


logs.show_on_console()
try:
    _load()
except Exception:
    logger.exception("daro-verl could not be loaded. Jobs with algorithm.adv_estimator=daro will not run.")
    raise
