"""Settings and lists that change while Squid runs, and what its log tells of that."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from proxyweb.db.connection import connect, transaction
from proxyweb.db.database import advance
from proxyweb.ingest.record import Record
from proxyweb.ingest.squid import parse_line
from tests.e2e.squid import Squid

IN_FORCE_SECONDS = 2.0


def change(instance: Path, statement: str = "", values: tuple[Any, ...] = (), **settings: str) -> None:
    """What the API does when something is changed."""
    with closing(connect(instance / "proxyweb.sqlite")) as conn, transaction(conn):
        if statement:
            conn.execute(statement, values)
        for name, value in settings.items():
            conn.execute("REPLACE INTO settings VALUES (?, ?)", (name, value))
        advance(conn, "settings")


def logged(squid: Squid, count: int) -> list[Record]:
    return [parse_line(line) for line in squid.log_lines(count)]


def changes(status: Callable[[], int], wanted: int) -> float:
    """How many seconds it takes until `wanted` is the status."""
    begun = time.monotonic()
    while status() != wanted:
        assert time.monotonic() < begun + IN_FORCE_SECONDS, f"still no {wanted}"
        time.sleep(0.05)
    return time.monotonic() - begun
