"""The audit log as a chain: every entry's hash covers all of its fields and the hash of the entry before it.

The hashes are keyed with what is derived from the installation's secret, so whoever can write to the database but not
read `secret.key` can't make them anew. `audit_head` holds how many entries there are and the last one's hash, sealed
with the same key: so a missing end shows, too. Ids are given without gaps.

An entry that finds the head not as it was left (cut off, edited, or sealed with another key) does not go on from it:
it begins a new chain that says so for ever. Otherwise the next ordinary entry would make good what was tampered with.

What no database can tell by itself is that all of it was put back to an older state. That shows against a `Mark` of
the newest entry that was kept elsewhere.
"""

from __future__ import annotations

import hmac
import json
import sqlite3
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from proxyweb.db.connection import file_of
from proxyweb.db.database import advance
from proxyweb.errors import ConfigError
from proxyweb.secret import derived, load

BEGINNING = b"the beginning"
BROKEN = b"the head was not as it was left"
_FIELDS = "id, at, username, action, target, details, source_ip"
_INSERT = f"INSERT INTO audit_log ({_FIELDS}, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Entry(NamedTuple):
    """What an entry says. `at` in Unix seconds; texts are one escaped line each."""

    at: int
    username: str
    action: str
    target: str
    details: str
    source_ip: str


class Mark(NamedTuple):
    """The newest entry at some time: its number, and the hash that everything up to it leads to (hexadecimal)."""

    number: int
    hash: str


class Report(NamedTuple):
    """What a look at the whole chain found: sentences, none when all is well."""

    entries: int
    newest: Mark | None
    wrong: list[str]


def append(conn: sqlite3.Connection, entry: Entry, secret: Path | None = None) -> None:
    """Add an entry, in the write transaction that is under way on `conn`: it makes the chain one for all processes.

    `secret` is for a database that does not stand in its place yet.
    """
    key = _key(secret or secret_beside(file_of(conn)))
    head = _head(conn, key)
    if head is None:
        newest = conn.execute("SELECT max(id) FROM audit_log").fetchone()[0]
        head = newest or 0, BROKEN
    number, before = head[0] + 1, head[1]
    hashed = _hash(key, before, (number, *entry))
    conn.execute(_INSERT, (number, *entry, hashed))
    _seal(conn, key, number, hashed)
    advance(conn, "audit")


def begin(conn: sqlite3.Connection) -> None:
    """Seal the empty log of a new database, in the transaction under way. One that has users is not new."""
    if is_unsealed(conn):
        _seal(conn, _key(secret_beside(file_of(conn))), 0, BEGINNING)


def is_unsealed(conn: sqlite3.Connection) -> bool:
    """Whether nothing has been done with this database yet."""
    there = (f"EXISTS (SELECT 1 FROM {table})" for table in ("audit_log", "audit_head", "users"))
    return not conn.execute(f"SELECT {' OR '.join(there)}").fetchone()[0]


def verify(conn: sqlite3.Connection, since: int = 1, known: Mark | None = None, secret: Path | None = None) -> Report:
    """Follow the chain from entry `since` on to its end, in one read transaction of the caller's.

    `known` is the newest entry as an earlier look found it. Raises ConfigError when there is no secret key any more.
    """
    path = secret or secret_beside(file_of(conn))
    if not path.exists():
        raise ConfigError(f"The secret key {path} is gone; without it nobody can tell whether the audit log is whole.")
    key = derived(load(path), "audit")
    wrong: list[str] = []
    before = BEGINNING if since == 1 else None
    last = since - 1
    newest: Mark | None = None
    for number, *fields, stored in conn.execute(f"SELECT {_FIELDS}, hash FROM audit_log ORDER BY id"):
        if number < 1:
            wrong.append(f"Entry {number} was not written by proxyweb.")
            continue
        if number < since:
            before = stored
            continue
        wrong += _missing(last, number)
        if before is not None:
            wrong += _misfit(key, before, (number, *fields), stored, gap=number != last + 1)
        if known and number == known.number and stored.hex() != known.hash:
            wrong.append(f"Entry {number} is another one than when its mark was taken.")
        before, last, newest = stored, number, Mark(number, stored.hex())
    wrong += _wrong_head(conn, key, last, before)
    if known and last < known.number:
        wrong.append(f"Entry {known.number} was there when its mark was taken, and is not any more.")
    return Report(last, newest, wrong)


def _missing(last: int, number: int) -> Iterator[str]:
    if number == last + 2:
        yield f"Entry {last + 1} is missing."
    elif number > last + 2:
        yield f"Entries {last + 1} to {number - 1} are missing."


def _misfit(key: bytes, before: bytes, fields: tuple[object, ...], stored: bytes, *, gap: bool) -> Iterator[str]:
    """Whether an entry's hash follows from its fields and the entry before it. Behind a gap it can't be told."""
    number = fields[0]
    if hmac.compare_digest(_hash(key, BROKEN, fields), stored):
        yield (
            f"Before entry {number} was written, the log's end was not as proxyweb had left it: entries were taken away"
            " or changed, or the secret key is another one."
        )
    elif not gap and not hmac.compare_digest(_hash(key, before, fields), stored):
        yield f"Entry {number} is not as it was written, or is not in its place."


def _wrong_head(conn: sqlite3.Connection, key: bytes, last: int, before: bytes | None) -> Iterator[str]:
    head = _head(conn, key)
    if head is None:
        yield "The record of the log's end is missing or was not sealed with this secret key."
    elif last < head[0]:
        yield f"The end is missing: there were {head[0]} entries, and the last one there is entry {last}."
    elif last > head[0]:
        yield f"There is an entry {last}, and proxyweb has written only {head[0]}."
    elif before is not None and head[1] != before:
        yield f"Entry {last} is not the one that was written last."


def _head(conn: sqlite3.Connection, key: bytes) -> tuple[int, bytes] | None:
    """How many entries there are, and the last one's hash; None when nobody with the key says so."""
    row = conn.execute("SELECT entries, hash, seal FROM audit_head").fetchone()
    if row is None or not hmac.compare_digest(_sealed(key, row[0], row[1]), row[2]):
        return None
    return row[0], row[1]


def _seal(conn: sqlite3.Connection, key: bytes, entries: int, hashed: bytes) -> None:
    conn.execute(
        "INSERT OR REPLACE INTO audit_head VALUES (1, ?, ?, ?)", (entries, hashed, _sealed(key, entries, hashed))
    )


def _sealed(key: bytes, entries: int, hashed: bytes) -> bytes:
    return hmac.digest(key, b"head" + json.dumps([entries, hashed.hex()]).encode(), "sha256")


def _hash(key: bytes, before: bytes, fields: tuple[object, ...]) -> bytes:
    """JSON keeps the fields apart: no two different entries have one text."""
    return hmac.digest(key, b"entry" + json.dumps([before.hex(), *fields]).encode(), "sha256")


def secret_beside(database: Path) -> Path:
    """Where the secret of a database's installation is, so that whoever adds an entry need not carry it along."""
    return database.with_name("secret.key")


@lru_cache(8)
def _key(secret: Path) -> bytes:
    return derived(load(secret), "audit")
