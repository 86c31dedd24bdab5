"""A database that is known to be damaged: a mark beside it, which every process sees.

SQLite tells of a damaged page only whoever comes across it, and would go on writing to the others. So the first who
meets one leaves the mark, and from then on no transaction begins that would write; reading goes on where it can. The
mark names the file by its device and inode: what `proxyweb restore` puts in its place is another file, and unmarked.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from proxyweb.errors import Damaged

log = logging.getLogger("proxyweb.database")

BELIEVED_SECONDS = 60.0
_suspected: dict[Path, float] = {}


def mark_of(database: Path) -> Path:
    """Where the mark is, when there is one."""
    return database.with_name(f"{database.name}.damaged")


def mark(database: Path) -> None:
    """Note that the file now at `database` is damaged."""
    try:
        if is_marked(database):
            return
        descriptor = os.open(mark_of(database), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(_identity(database))
    except OSError as error:
        log.error("%s can't be written: %s", mark_of(database), error.strerror)
        return
    log.error("the database %s is damaged: nothing is written to it any more; restore a backup", database)


def suspect(database: Path) -> None:
    """Mark it when this process is told of damage for the second time within a minute.

    While it loads the schema, SQLite speaks of damage, too, where the disk has failed to give a page just once.
    """
    now = time.monotonic()
    before, _suspected[database] = _suspected.get(database), now
    if before is not None and now - before < BELIEVED_SECONDS:
        mark(database)


def is_marked(database: Path) -> bool:
    """Whether the file now at `database` was found to be damaged."""
    try:
        return mark_of(database).read_text() == _identity(database)
    except FileNotFoundError:
        return False


def forget(database: Path) -> None:
    """Take the mark away: another file stands there now, and the next one may be given the number of the old."""
    mark_of(database).unlink(missing_ok=True)


def refuse_marked(database: Path) -> None:
    """Raise Damaged when the file now at `database` was found to be damaged."""
    if is_marked(database):
        raise Damaged(
            f"The database {database} is damaged, and nothing is written to it: restore a backup."
            f" If you mended it where it is, delete {mark_of(database)}."
        )


def _identity(database: Path) -> str:
    status = database.stat()
    return f"{status.st_dev} {status.st_ino}\n"
