"""The console of the logger ``daro_verl``, the same in every process of a job, and how often it says the same."""

import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

ONE_HOUR = 3600.0
FORMAT = "%(levelname)s:%(asctime)s:%(name)s: %(message)s"
PLAIN = {"plain": True}
"""``logger.info(..., extra=PLAIN)``: the message alone, for a line that comes at every step."""


class ConsoleFormatter(logging.Formatter):
    """Level, time and logger before the message; the message alone where the record is ``PLAIN``."""

    def format(self, record: logging.LogRecord) -> str:
        return record.getMessage() if getattr(record, "plain", False) else super().format(record)


class Console(logging.StreamHandler):
    """Writes to what ``sys.stderr`` is at that moment: Ray and others replace it."""

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, stream: Any) -> None:
        """``StreamHandler`` sets it once, and there is nothing to keep."""


def show_on_console() -> None:
    """Give ``daro_verl`` a console and a level of its own: what other libraries do to the root logger does not matter.

    vLLM imports a library that sets the root logger, and its handlers, to ERROR; verl shields its own logger in the
    same way (``verl.utils.logging_utils.configure_verl_logging``). Nothing goes on to the root logger, where it would
    be printed twice. The level is ``VERL_LOGGING_LEVEL``, by default INFO, as there. Idempotent.
    """
    logger = logging.getLogger("daro_verl")
    if not any(isinstance(handler, Console) for handler in logger.handlers):
        handler = Console()
        handler.setFormatter(ConsoleFormatter(FORMAT))
        logger.addHandler(handler)
    logger.setLevel(os.getenv("VERL_LOGGING_LEVEL", "INFO"))
    logger.propagate = False


class HourlyLimit:
    """Lets each cause through once an hour, for what would else be logged at every step."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._last = clock, dict[str, float]()

    def allows(self, cause: str) -> bool:
        """Whether to log it now; then not again for an hour."""
        now = self._clock()
        if now - self._last.get(cause, -ONE_HOUR) < ONE_HOUR:
            return False
        self._last[cause] = now
        return True
