"""`proxyweb clear-old`: what cron runs without HTTP."""

from __future__ import annotations

import os
import time
from contextlib import closing

import click

from proxyweb import audit, settings
from proxyweb.cli.database import ready
from proxyweb.config import load
from proxyweb.db.connection import connect
from proxyweb.db.session import open_session, transaction
from proxyweb.retention import clear_old
from proxyweb.size_cap import keep_to_size


@click.command("clear-old")
def clear_old_logs() -> None:
    """Delete the entries older than the setting log_retention_days, and the oldest beyond max_database_mb.

    For a daily cron job. The web server and the follower go on meanwhile.
    """
    config = load()
    os.umask(0o077)
    ready(config)
    now = time.time()
    with closing(connect(config.database)) as conn:
        deleted = clear_old(conn, int(settings.read(conn)["log_retention_days"]), now)
        with transaction(open_session(config.database)) as session:
            audit.record(session, now, "cli", "old logs cleared", details=f"{deleted} entries")
        deleted += keep_to_size(conn, now)
    click.echo(f"Cleared old logs: {deleted} entries deleted")
