"""`proxyweb check`: what is sound and what is not, a line each."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click

from proxyweb.config import Config, load
from proxyweb.db.connection import connect, snapshot, translated
from proxyweb.db.damage import is_marked, mark_of
from proxyweb.db.migrate import current_version, is_current
from proxyweb.errors import ProxywebError
from proxyweb.escaping import printable
from proxyweb.ingest import postings, rollups, zones
from proxyweb.ingest.logfile import open_regular
from proxyweb.ingest.status import read_status

Finding = tuple[bool, str]
COMPARED: dict[str, Callable[[sqlite3.Connection], list[str]]] = {
    "rollups": rollups.differences,
    "zones": zones.differences,
    "posting lists": postings.differences,
}
MOST_ERRORS = 20


@click.command()
@click.option("--full", is_flag=True, help="Check every index and reference too; takes minutes on a large database.")
def check(full: bool) -> None:
    """Check the database, what is derived from the log, the followed files and the follower.

    Nothing is changed, and everything goes on meanwhile. The exit code is 1 when anything is wrong.
    """
    config = load()
    sound = True
    for fine, sentence in _findings(config, full):
        sound = sound and fine
        click.echo(f"{'ok   ' if fine else 'WRONG'} {printable(sentence)}")
    if not sound:
        sys.exit(1)


def _findings(config: Config, full: bool) -> Iterator[Finding]:
    if is_marked(config.database):
        yield (
            False,
            f"The database was found to be damaged, and nothing is written to it: see {mark_of(config.database)}.",
        )
    try:
        with closing(connect(config.database, readonly=True)) as conn:
            yield _schema(conn, config.database)
            yield from _pages(conn, full)
            for name, differences in COMPARED.items():
                yield from _derived(conn, name, differences)
    except sqlite3.Error as error:
        yield False, translated(error, config.database).detail
    except ProxywebError as error:
        yield False, error.detail
    for path in config.access_logs:
        yield _log(path)
    yield _follower(config)


def _schema(conn: sqlite3.Connection, path: Path) -> Finding:
    if is_current(conn):
        return True, f"The database {path} has schema {current_version(conn)}, {path.stat().st_size:,} bytes."
    return False, f"The database {path} is of an older version; 'proxyweb serve' brings it up to date."


def _pages(conn: sqlite3.Connection, full: bool) -> Iterator[Finding]:
    """SQLite's own check of its file."""
    pragma, begun = "integrity_check" if full else "quick_check", time.monotonic()
    said = [text for (text,) in conn.execute(f"PRAGMA {pragma}({MOST_ERRORS})")]
    seconds = time.monotonic() - begun
    if said == ["ok"]:
        yield True, f"SQLite's {pragma} found nothing ({seconds:.1f} s)."
    else:
        yield from ((False, f"SQLite's {pragma}: {text}") for text in said)
    if full:
        dangling = len(conn.execute("PRAGMA foreign_key_check").fetchall())
        yield not dangling, f"{dangling or 'No'} rows refer to one that is not there."


def _derived(
    conn: sqlite3.Connection, name: str, differences: Callable[[sqlite3.Connection], list[str]]
) -> Iterator[Finding]:
    begun = time.monotonic()
    with snapshot(conn):
        wrong = differences(conn)
    if not wrong:
        yield True, f"The {name} agree with the rows ({time.monotonic() - begun:.1f} s)."
    yield from ((False, f"{sentence}.") for sentence in wrong)


def _log(path: Path) -> Finding:
    try:
        os.close(open_regular(path))
    except OSError as error:
        return False, f"{path} can't be read: {error.strerror}."
    return True, f"{path} can be read."


def _follower(config: Config) -> Finding:
    if not config.access_logs:
        return True, "No log is followed."
    status = read_status(config.follower_status)
    if status is None or not status.alive(time.time()):
        return False, "The follower is not running; 'proxyweb serve' starts it."
    if status.state == "error":
        return False, f"The follower is in trouble: {status.error}"
    return True, f"The follower is {status.state}, {status.lag_bytes:,} bytes behind."
