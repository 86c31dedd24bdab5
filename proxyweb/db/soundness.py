"""Whether a file is a whole database of ours, and holds nothing that we did not put there.

A database may come from anywhere. SQLite runs what a file's own triggers and views say, so nothing is asked of it
before everything in its schema has been found to be what our migrations make.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from proxyweb.db.connection import translated
from proxyweb.db.migrate import is_current
from proxyweb.db.migrations import known_versions, statements
from proxyweb.errors import DatabaseError

MAGIC = b"SQLite format 3\0"
PAGE_BYTES = 4096
MAKE_VERSION_TABLE = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
STATISTICS = {  # what ANALYZE makes; as SQLite writes it
    ("table", "sqlite_stat1"): "CREATE TABLE sqlite_stat1(tbl,idx,stat)",
    ("table", "sqlite_stat4"): "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)",
}
VERSION = re.compile(r"[0-9]{4}", re.ASCII)
Schema = dict[tuple[str, str], str]


def refuse_unsound(path: Path) -> None:
    """Raise DatabaseError, one sentence, unless the database at `path` is ours, whole, and of a version we know.

    `path` must be nobody else's at the time. An older version is fine: `migrate` brings it up to date.
    """
    _refuse_by_header(path)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as conn:
            conn.execute("PRAGMA trusted_schema = OFF")
            conn.execute("PRAGMA query_only = ON")
            conn.execute("PRAGMA cell_size_check = ON")
            _refuse_foreign(conn, path)
            found = conn.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name in ("SQLITE_NOTADB", "SQLITE_ERROR") or name.startswith("SQLITE_CORRUPT"):
            raise DatabaseError(f"{path.name} is damaged.") from error
        raise translated(error, path) from error
    if found != "ok":
        raise DatabaseError(f"{path.name} is damaged ({found.splitlines()[-1]}).")


def _refuse_by_header(path: Path) -> None:
    """What can be told before SQLite opens the file. The page size is at byte 16, big-endian (file format, 1.3.2)."""
    with path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(MAGIC):
        raise DatabaseError(f"{path.name} is not an SQLite database.")
    size = int.from_bytes(header[16:18], "big")
    if size != PAGE_BYTES:
        raise DatabaseError(
            f"{path.name} was not made by proxyweb: its pages have {65_536 if size == 1 else size} bytes."
        )


def _refuse_foreign(conn: sqlite3.Connection, path: Path) -> None:
    schema = _schema(conn)
    if ("table", "alembic_version") not in schema:
        raise DatabaseError(f"{path.name} was not made by proxyweb.")
    if schema["table", "alembic_version"] != _normal(MAKE_VERSION_TABLE):
        raise DatabaseError(f"{path.name} was not made by proxyweb: its table alembic_version is another one.")
    versions = [version for (version,) in conn.execute("SELECT version_num FROM alembic_version LIMIT 2")]
    if len(versions) != 1 or not VERSION.fullmatch(str(versions[0])):
        raise DatabaseError(f"{path.name} was not made by proxyweb: it does not say of which version it is.")
    is_current(conn)  # raises for a newer one
    expected = schema_of(versions[0])
    expected |= {name: sql for name, sql in STATISTICS.items() if name in schema}
    for kind, name in sorted(schema.keys() | expected.keys()):
        if (kind, name) not in expected:
            raise DatabaseError(f"{path.name} has the {kind} {name[:64]!r}, which proxyweb did not make.")
        if (kind, name) not in schema:
            raise DatabaseError(f"{path.name} lacks the {kind} {name}.")
        if schema[kind, name] != expected[kind, name]:
            raise DatabaseError(f"{path.name} has a {kind} {name} that is not as proxyweb made it.")


def schema_of(version: str) -> Schema:
    """What is in a database of this version: made from our own migrations, in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as conn:
        for known in known_versions():
            for statement in statements(known):
                conn.execute(statement)
            if known == version:
                break
        conn.execute(MAKE_VERSION_TABLE)
        return _schema(conn)


def _schema(conn: sqlite3.Connection) -> Schema:
    """Kind and name of everything there is, and how it was made. Raises DatabaseError for what is there twice."""
    found = conn.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
    schema = {(str(kind), str(name)): _normal(sql or "") for kind, name, sql in found}
    if len(schema) != len(found):
        raise DatabaseError("It was not made by proxyweb: something in it is there twice.")
    return schema


def _normal(sql: str) -> str:
    return " ".join(str(sql).split())
