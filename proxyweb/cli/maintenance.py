"""`proxyweb backup` and `restore`."""

from __future__ import annotations

import getpass
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import click

from proxyweb.audit_chain import Entry
from proxyweb.config import load
from proxyweb.errors import ProxywebError
from proxyweb.escaping import one_line, printable

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("file", type=FILE)
@click.option("--force", is_flag=True, help="Replace FILE when it is there already.")
def backup(file: Path, force: bool) -> None:
    """Copy the database to FILE while everything runs.

    The copy is checked before it gets its name. It holds everything but the secret key: keep instance/secret.key, too,
    or whoever is signed in signs in again, and the audit log can't be verified any more.
    """
    from proxyweb import audit
    from proxyweb.backup import back_up
    from proxyweb.db.session import open_session, transaction

    config = load()
    os.umask(0o077)
    _end_properly()
    size = back_up(config.database, file, force=force)
    click.echo(f"Backed up {config.database} to {printable(str(file))} ({size:,} bytes).")
    try:
        with transaction(open_session(config.database)) as session:
            audit.record(
                session, time.time(), _who(), "backup made", target=str(file.absolute()), details=f"{size} bytes"
            )
    except ProxywebError as error:
        click.echo(f"proxyweb: The backup is made, but the audit log does not tell of it: {error.detail}", err=True)
        sys.exit(1)


@click.command()
@click.argument("file", type=FILE)
@click.option("--yes", is_flag=True, help="Don't ask.")
def restore(file: Path, yes: bool) -> None:
    """Put the backup FILE in the place of the database; 'proxyweb serve' must not run.

    FILE is checked first and stays as it is. The old database is kept beside the new one. Afterwards the follower reads
    on from the position in the log that the backup knows.
    """
    from proxyweb.instance import prepare_instance
    from proxyweb.restore import restore as put_in_place

    config = load()
    os.umask(0o077)
    if not yes:
        click.confirm(f"Put {printable(str(file))} in the place of {config.database}?", abort=True)
    prepare_instance(config)
    _end_properly()
    now = time.time()
    entry = Entry(int(now), _who(), "database restored", one_line(str(file.absolute())), "", "")
    restored = put_in_place(config, file, entry, now)
    click.echo(f"Restored {config.database} from {printable(str(file))}.")
    if restored.kept:
        click.echo(f"The old database is kept as {restored.kept}; delete it when it is not needed any more.")
    if restored.audit:
        click.echo(f"The audit log in it can't be vouched for: {restored.audit[0]} 'proxyweb audit verify' tells more.")


def _who() -> str:
    return one_line(f"{getpass.getuser()} (command)")


def _end_properly() -> None:
    """Have SIGTERM end the program as Ctrl-C does, so that it leaves nothing half done behind."""

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
