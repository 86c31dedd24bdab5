"""Which source an open log file holds: the one that was read from it before, or one of the same content."""

from __future__ import annotations

import sqlite3

from proxyweb.ingest.logfile import LogFile
from proxyweb.ingest.sources import Checkpoint, find, find_or_begin, sources_at, unchanged
from proxyweb.ingest.tail import Tail


def recognised(conn: sqlite3.Connection, file: LogFile) -> tuple[Checkpoint, bool] | None:
    """The source of a file's content, and whether all of the content was read already; None when it is new.

    A file that is where it was, and longer, is known by two short looks; any other one is compared as a whole.
    """
    before = _read_before(conn, file)
    return (before, False) if before else find(conn, file.open_content)


def recognise(conn: sqlite3.Connection, file: LogFile, path: str, now: int) -> None:
    """Let a file go on from where its content was left, as a file followed at `path`. `now` in Unix seconds."""
    checkpoint, known = _read_before(conn, file), False
    if checkpoint is None:
        new = Checkpoint(path, device=file.device, inode=file.inode, followed=True)
        checkpoint, known = find_or_begin(conn, new, file.open_content, now)
    if known:
        file.pass_over()
        return
    checkpoint.path, checkpoint.device, checkpoint.inode, checkpoint.followed = path, file.device, file.inode, True
    file.adopt(checkpoint)


def _read_before(conn: sqlite3.Connection, file: LogFile) -> Checkpoint | None:
    if not isinstance(file, Tail):
        return None
    for source in sources_at(conn, file.device, file.inode):
        if source.position <= file.size and unchanged(conn, source, file.read_at):
            return source
    return None
