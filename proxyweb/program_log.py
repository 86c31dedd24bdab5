"""What the program says of itself, on stderr: one line a message, whatever is in it."""

from __future__ import annotations

import logging
import sys

from proxyweb.escaping import printable

LONGEST = 4000


class OneLine(logging.Formatter):
    """Escapes the message, and marks every line of a traceback, so that no text from outside passes for an entry."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = printable(record.message[:LONGEST])
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:
        lines = super().formatException(ei).splitlines()  # type: ignore[arg-type]
        return "\n".join(f"  | {printable(line[:LONGEST])}" for line in lines)


def configure_log(level: str) -> None:
    """Send the `proxyweb` loggers to stderr from `level` on; a second call only sets the level."""
    logger = logging.getLogger("proxyweb")
    logger.setLevel(level.upper())
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logger.addHandler(handler)
