"""The listening socket, held by the supervisor: a port that is taken is known at once, and while the web server is
restarted connections wait instead of being refused."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from proxyweb.errors import ConfigError

BACKLOG = 1024


@contextmanager
def listen(bind: str, variable: str = "PROXYWEB_BIND") -> Iterator[socket.socket | None]:
    """A listening TCP socket for `HOST:PORT`; None for `unix:/path`, which gunicorn makes itself.

    Raises ConfigError, which tells the `variable` that says so, when the address can't be had.
    """
    if bind.startswith("unix:"):
        yield None
        return
    host, _, port = bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        listener = socket.create_server(
            (host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG
        )
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
        raise ConfigError(f"Can't listen on {bind}: {reason}; {variable} names another address.") from error
    with listener:
        yield listener


def url(bind: str) -> str:
    """Where a person finds it."""
    return bind if bind.startswith("unix:") else f"http://{bind}"
