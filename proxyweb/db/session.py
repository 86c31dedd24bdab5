"""SQLAlchemy on the same file, for what writes: every transaction begins with BEGIN IMMEDIATE.

So a transaction waits for the one write lock at its start instead of failing in its middle, and what it reads can't
change under it. Connections are opened when needed and closed after: writes through here are rare.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from proxyweb.db.connection import begin, connect, translated


def engine_options(path: Path) -> dict[str, Any]:
    """What `create_engine` needs so that its connections are those of `db.connection.connect`."""
    return {"creator": lambda: connect(path), "poolclass": NullPool}


def begin_immediate(engine: Engine) -> None:
    """Have every transaction of `engine` take the write lock at its start."""
    event.listen(engine, "begin", _begin)


def _begin(connection: Connection) -> None:
    begin(_driver(connection))


def open_session(path: Path) -> Session:
    """A session outside the web application, for commands; `with transaction(open_session(path)) as session`."""
    engine = create_engine(f"sqlite:///{path}", **engine_options(path))
    begin_immediate(engine)
    return Session(engine)


@contextmanager
def transaction(session: Session) -> Iterator[Session]:
    """One write transaction: committed at the end, rolled back on any exception; SQLite's errors become typed ones."""
    try:
        with session, session.begin():
            yield session
    except IntegrityError:
        raise
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise translated(error.orig) from error
        raise


def driver(session: Session) -> sqlite3.Connection:
    """The sqlite3 connection under a session, in its transaction, for plain SQL. What was added is flushed first."""
    session.flush()
    return _driver(session.connection())


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)
