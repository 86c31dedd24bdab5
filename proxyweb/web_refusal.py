"""What the web server itself answers where no request reaches the application: in the shape of every other answer."""

from __future__ import annotations

import orjson

from proxyweb.api.envelope import sentence
from proxyweb.api.headers import EVERYWHERE
from proxyweb.api.observation import count_turned_away
from proxyweb.errors import NoMemory

__all__ = ["count_turned_away", "of", "without_memory"]


def of(status_line: str) -> bytes:
    """The whole answer to what is no request, from the status line that gunicorn would have sent."""
    return _answer(status_line, sentence(int(status_line.split()[1])))


def without_memory() -> bytes:
    """The whole answer where there is no memory to look at what somebody asks."""
    error = NoMemory()
    return _answer("HTTP/1.1 503 Service Unavailable", error.detail, ("Retry-After", str(error.retry_after)))


def _answer(status_line: str, detail: str, *more: tuple[str, str]) -> bytes:
    body = orjson.dumps({"status": "error", "detail": detail})
    headers = (
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("Connection", "close"),
        *more,
        *EVERYWHERE,
    )
    lines = [status_line, *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body
