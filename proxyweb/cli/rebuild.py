"""`proxyweb rebuild`: everything that is derived from the log's rows, made anew from them."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import click

from proxyweb.cli.database import ready
from proxyweb.config import load
from proxyweb.db.connection import connect, transaction
from proxyweb.db.database import advance, generation
from proxyweb.ingest import postings, rollups, zones

PAUSE_SECONDS = 0.01  # between transactions, so that whoever waits for the write lock gets it
ZONES_AT_ONCE = 256  # a quarter of a million rows


@click.command()
@click.option("--yes", is_flag=True, help="Don't ask.")
def rebuild(yes: bool) -> None:
    """Make all that is derived from the log anew: rollups, zones and posting lists.

    For when 'proxyweb check' finds a difference. The log itself is not touched. The web server and the follower go on
    meanwhile, but nothing else is written while one rollup is counted: a second or two for each million requests.
    """
    config = load()
    if not yes:
        click.confirm("Make the rollups, zones and posting lists anew from the log's rows?", abort=True)
    os.umask(0o077)
    ready(config)
    begun = time.monotonic()
    with closing(connect(config.database)) as conn:
        for made in _made_anew(conn):
            ended = time.monotonic()
            click.echo(f"{made} ({ended - begun:.1f} s)")
            begun = ended
            time.sleep(PAUSE_SECONDS)
    click.echo("All is made anew; 'proxyweb check' compares it with the rows.")


def _made_anew(conn: sqlite3.Connection) -> Iterator[str]:
    """Make one after the other, and say which is done."""
    yield from rollups.rebuild(conn)
    _rebuild_zones(conn)
    yield "log_zones"
    _rebuild_postings(conn)
    yield ", ".join(postings.TABLES.values())


def _rebuild_zones(conn: sqlite3.Connection) -> None:
    """Some zones a transaction, to the last; rows that arrive meanwhile are seen by whichever comes later."""
    zone, is_behind_last = 0, False
    while not is_behind_last:
        with transaction(conn):
            zones.rebuild_zones(conn, zone << zones.ZONE_BITS, (zone + ZONES_AT_ONCE << zones.ZONE_BITS) - 1)
            zone += ZONES_AT_ONCE
            is_behind_last = zone << zones.ZONE_BITS >= generation(conn, "next_id")
            if is_behind_last:
                conn.execute("DELETE FROM log_zones WHERE zone NOT BETWEEN 0 AND ?", (zone - 1,))
            advance(conn, "logs")
        time.sleep(PAUSE_SECONDS)


def _rebuild_postings(conn: sqlite3.Connection) -> None:
    """A segment a transaction. The open segment has no lists, so whatever stands there or behind it is deleted."""
    segment, is_open = 0, False
    while not is_open:
        with transaction(conn):
            is_open = segment >= generation(conn, "next_id") >> postings.SEGMENT_BITS
            if is_open:
                for table in postings.TABLES.values():
                    conn.execute(
                        f"DELETE FROM {table} WHERE id NOT BETWEEN 0 AND ?", ((segment << postings.VALUE_BITS) - 1,)
                    )
            else:
                postings.rebuild_segment(conn, segment)
            advance(conn, "logs")
        segment += 1
        time.sleep(PAUSE_SECONDS)
