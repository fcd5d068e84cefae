"""The console of the logger ``daro_verl``, the same in every process of a job, and a limit on repeated lines."""

import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

ONE_HOUR = 3600.0
FORMAT = "%(levelname)s:%(asctime)s:%(name)s: %(message)s"
PLAIN = {"plain": True}
"""``logger.info(..., extra=PLAIN)`` logs the message alone, for a line that comes at every step."""


class ConsoleFormatter(logging.Formatter):
    """Puts level, time and logger before the message. A ``PLAIN`` record is its message alone."""

    def format(self, record: logging.LogRecord) -> str:
        return record.getMessage() if getattr(record, "plain", False) else super().format(record)


class Console(logging.StreamHandler):
    """Writes to the current ``sys.stderr``, because Ray and others replace it."""

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, stream: Any) -> None:
        """Ignore what ``StreamHandler`` sets."""


def show_on_console() -> None:
    """Give ``daro_verl`` its own console and level. What other libraries do to the root logger then does not matter.

    vLLM imports a library that sets the root logger and its handlers to ERROR. verl shields its own logger in the same
    way (``verl.utils.logging_utils.configure_verl_logging``). Nothing goes on to the root logger, which would print it
    twice. The level is ``VERL_LOGGING_LEVEL``, by default INFO, as for verl. Idempotent.
    """
    logger = logging.getLogger("daro_verl")
    if not any(isinstance(handler, Console) for handler in logger.handlers):
        handler = Console()
        handler.setFormatter(ConsoleFormatter(FORMAT))
        logger.addHandler(handler)
    logger.setLevel(os.getenv("VERL_LOGGING_LEVEL", "INFO"))
    logger.propagate = False


class HourlyLimit:
    """Lets each cause through once an hour. Without this limit, its line would be logged at every step."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._last = clock, dict[str, float]()

    def allows(self, cause: str) -> bool:
        """Whether to log this cause now. If so, it is not logged again for an hour."""
        now = self._clock()
        if now - self._last.get(cause, -ONE_HOUR) < ONE_HOUR:
            return False
        self._last[cause] = now
        return True
