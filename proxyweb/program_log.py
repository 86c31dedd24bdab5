"""What the program says of itself, on stderr: one line a message, whatever is in it; as text or as JSON objects."""

from __future__ import annotations

import json
import logging
import sys
import threading
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from types import TracebackType
from typing import Any

import click

from proxyweb import log_stream
from proxyweb.escaping import printable

LONGEST = 4000
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
FIELDS = "fields"
"""Under `extra`, the name of a dict of fields that a JSON line has besides; text goes without them."""

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The request that is being answered, so that whatever is said meanwhile can be found by it."""


class OneLine(logging.Formatter):
    """Escapes the message, and marks every line of a traceback, so that no text from outside passes for an entry."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = printable(record.message[:LONGEST])
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:
        lines = super().formatException(ei).splitlines()  # type: ignore[arg-type]
        return "\n".join(f"  | {printable(line[:LONGEST])}" for line in lines)


class JsonLine(logging.Formatter):
    """An object a line: `time` (UTC, ISO 8601, milliseconds), `level`, `logger`, `message`, the record's own fields,
    and where there are any `request_id` and `exception`. All of it is printable ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:LONGEST],
        }
        said |= getattr(record, FIELDS, {})
        if request := request_id.get():
            said["request_id"] = request
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str)


def formatter(form: str) -> logging.Formatter:
    """What writes the lines of a format, `text` or `json`."""
    return JsonLine() if form == "json" else OneLine(TEXT)


@cache
def handler(form: str) -> logging.Handler:
    """What writes them to stderr, without ever waiting for whoever reads it; one for all that this process says."""
    lines = formatter(form)
    made = logging.StreamHandler(
        log_stream.stderr(lambda message: lines.format(_record(message, logging.WARNING)) + "\n")
    )
    made.setFormatter(lines)
    return made


def form_in_use() -> str:
    """The format that this process was configured to log in."""
    handlers = logging.getLogger("proxyweb").handlers
    return "json" if handlers and isinstance(handlers[0].formatter, JsonLine) else "text"


def configure_log(level: str, form: str = "text") -> None:
    """Send the `proxyweb` loggers to stderr from `level` on; a second call only sets the level."""
    logger = logging.getLogger("proxyweb")
    logger.setLevel(level.upper())
    if not logger.handlers:
        logger.addHandler(handler(form))
        if form == "json":
            sys.excepthook = _log_crash
            threading.excepthook = lambda ended: _log_crash(ended.exc_type, ended.exc_value, ended.exc_traceback)


def announce(message: str, form: str) -> None:
    """Tell on stdout what whoever starts the program has to know, whatever the level."""
    click.echo(_as_json(message, logging.INFO) if form == "json" else message)
    sys.stdout.flush()


def complain(message: str, form: str) -> None:
    """Tell on stderr why the program ends."""
    click.echo(_as_json(message, logging.ERROR) if form == "json" else f"proxyweb: {printable(message)}", err=True)


def _as_json(message: str, level: int) -> str:
    return JsonLine().format(_record(message, level, "proxyweb.start"))


def _record(message: str, level: int, logger: str = "proxyweb.log") -> logging.LogRecord:
    return logging.LogRecord(logger, level, __file__, 0, message, None, None)


def _log_crash(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if error is None or issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    logging.getLogger("proxyweb").critical("ended by an error of the program's own", exc_info=(kind, error, trace))
