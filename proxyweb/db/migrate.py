"""Bring a database file to the schema that this code knows. Run at every start."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from proxyweb.db.connection import connect, transaction, translated
from proxyweb.db.damage import refuse_marked
from proxyweb.db.migrations import VERSIONS, known_versions, statements
from proxyweb.errors import DatabaseError


def current_version(conn: sqlite3.Connection) -> str | None:
    """The version of a database file; None when it is empty. Raises DatabaseError when the file is not ours."""
    try:
        tables = {name for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if "alembic_version" in tables:
            row = conn.execute("SELECT version_num FROM alembic_version").fetchone()
            return row[0] if row else None
    except sqlite3.Error as error:
        raise translated(error) from error
    if tables - {"sqlite_sequence"}:
        raise DatabaseError("The database file was not made by proxyweb; name another one or move it away.")
    return None


def is_current(conn: sqlite3.Connection) -> bool:
    """Whether the schema is the one this code knows. Raises DatabaseError when it is newer."""
    version, known = current_version(conn), known_versions()
    if version is not None and version not in known:
        raise DatabaseError(
            f"The database was written by a newer proxyweb (schema {version}, this one knows {known[-1]}); "
            "upgrade proxyweb, or restore a backup made by this version."
        )
    return version == known[-1]


def migrate(path: Path) -> None:
    """Make the database, or bring it up to date, all in one transaction: a failure leaves the file as it was."""
    conn = connect(path, busy_seconds=60)
    try:
        if current_version(conn) is None:
            _make(conn)
        if not is_current(conn):
            refuse_marked(path)
            _upgrade(path, conn)
    finally:
        conn.close()


def _make(conn: sqlite3.Connection) -> None:
    """A new database, without Alembic, which takes longer to load than to run."""
    with transaction(conn):
        if current_version(conn) is None:  # nobody else has made it meanwhile
            for version in known_versions():
                for statement in statements(version):
                    conn.execute(statement)
            conn.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
            conn.execute("INSERT INTO alembic_version VALUES (?)", (known_versions()[-1],))


def _upgrade(path: Path, conn: sqlite3.Connection) -> None:
    """Alembic's upgrade inside one BEGIN IMMEDIATE; a process that waited for the lock finds the work done.

    Foreign keys are not enforced meanwhile, but checked at the end: to make a table anew, the old one is dropped, which
    would delete what refers to it.
    """
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, event
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    engine = create_engine("sqlite://", creator=lambda: conn, poolclass=StaticPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    conn.execute("PRAGMA foreign_keys = OFF")
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            if conn.execute("PRAGMA foreign_key_check").fetchone():
                raise DatabaseError(
                    "The database can't be brought up to date: rows refer to others that are not there."
                )
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise translated(error.orig, path) from error
        raise
