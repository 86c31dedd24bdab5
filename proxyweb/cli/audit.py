"""`proxyweb audit verify`: whether the audit log is as it was written."""

from __future__ import annotations

import re
import sys
from contextlib import closing

import click

from proxyweb import audit_chain
from proxyweb.audit_chain import Mark
from proxyweb.config import load
from proxyweb.db.connection import connect, snapshot
from proxyweb.db.migrate import is_current
from proxyweb.errors import DatabaseError, Invalid

MOST_SHOWN = 20
MARK = re.compile(r"([1-9][0-9]{0,17}):([0-9a-f]{64})", re.ASCII)


@click.group()
def audit() -> None:
    """Tell whether the audit log is whole."""


@audit.command()
@click.option("--from", "since", type=click.IntRange(1), default=1, help="Pass over the entries before this one.")
@click.option("--known", default=None, help="What an earlier run printed: finds an older database put back, too.")
def verify(since: int, known: str | None) -> None:
    """Find what was changed, deleted, put elsewhere or cut off in the audit log.

    Everything goes on meanwhile. The exit code is 1 when anything is wrong.
    """
    config = load()
    mark = _mark(known) if known is not None else None
    with closing(connect(config.database, readonly=True)) as conn, snapshot(conn):
        if not is_current(conn):
            raise DatabaseError("The database is of an older version; 'proxyweb serve' brings it up to date.")
        report = audit_chain.verify(conn, since, mark)
    for sentence in report.wrong[:MOST_SHOWN]:
        click.echo(f"WRONG {sentence}")
    if len(report.wrong) > MOST_SHOWN:
        click.echo(f"WRONG and {len(report.wrong) - MOST_SHOWN} more.")
    if report.wrong:
        sys.exit(1)
    entries = max(0, report.entries - since + 1)
    click.echo(f"ok    The audit log is whole: {entries} {'entry' if entries == 1 else 'entries'}, all as written.")
    if report.newest:
        click.echo(f"      Keep this elsewhere, and give it to --known next time: {':'.join(map(str, report.newest))}")


def _mark(text: str) -> Mark:
    found = MARK.fullmatch(text)
    if found is None:
        raise Invalid([("--known", "must be what an earlier run printed: a number, a colon and 64 hexadecimal digits")])
    return Mark(int(found[1]), found[2])
