"""Files by their content, and how far each was read: the checkpoint that is committed with the rows.

A source is known by the CRC-32 of every 512 bytes of its content, decompressed. So the same content is never read
twice, under whatever name it comes back: rotated, copied, compressed, grown.
"""

from __future__ import annotations

import sqlite3
import zlib
from array import array
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from proxyweb.db.connection import snapshot, transaction
from proxyweb.ingest.content import read_exactly

BLOCK = 512
BLOCKS_A_CHUNK = 128  # CRCs in a row of source_marks
CHUNK = BLOCK * BLOCKS_A_CHUNK
CRC = "I"


class Overtaken(Exception):
    """Another process has read this source further than this one knew."""


class Hasher:
    """CRCs of the blocks of a content as it is read, from `position` on."""

    def __init__(self, position: int = 0, tail_crc: int = 0) -> None:
        self.position = position
        self.tail_crc = tail_crc

    def update(self, data: bytes) -> list[int]:
        """Take in the bytes that follow; gives the CRCs of the blocks they fill. `tail_crc` is of the rest."""
        crc32, position, crc, at, crcs = zlib.crc32, self.position, self.tail_crc, 0, []
        view = memoryview(data)
        for end in range(BLOCK - position % BLOCK, len(data) + 1, BLOCK):
            crcs.append(crc32(view[at:end], crc))
            at, crc = end, 0
        self.position, self.tail_crc = position + len(data), crc32(view[at:], crc)
        return crcs


@dataclass(slots=True)
class Checkpoint:
    """How far one source was read. `followed` marks what the follower reads, so that it looks for it after a restart.

    `position` is what is stored; `taken`, `tail_crc` and the CRCs of the current chunk are ahead of it while a
    transaction is under way.
    """

    path: str
    id: int = 0
    position: int = 0
    device: int = 0
    inode: int = 0
    followed: bool = False
    taken: int = 0
    tail_crc: int = 0
    crcs: array[int] = field(default_factory=lambda: array(CRC))
    full_chunks: list[tuple[int, bytes]] = field(default_factory=list)
    first_size: int = 0
    first_crc: int = 0

    def take(self, end: int, crcs: list[int], tail_crc: int) -> None:
        """What a hasher found, up to the position `end`."""
        if self.first_size < BLOCK:
            self.first_size, self.first_crc = (BLOCK, crcs[0]) if crcs else (end, tail_crc)
        self.crcs.extend(crcs)
        chunk = self.taken // CHUNK
        while len(self.crcs) >= BLOCKS_A_CHUNK:
            self.full_chunks.append((chunk, self.crcs[:BLOCKS_A_CHUNK].tobytes()))
            del self.crcs[:BLOCKS_A_CHUNK]
            chunk += 1
        self.taken, self.tail_crc = end, tail_crc

    def expect(self, conn: sqlite3.Connection) -> None:
        """Raises Overtaken unless the source is stored with the position where this process left it."""
        row = conn.execute("SELECT position FROM sources WHERE id = ?", (self.id,)).fetchone()
        if row is None or row[0] != self.position:
            raise Overtaken

    def save(self, conn: sqlite3.Connection, rows: int, rejected: int, now: int) -> None:
        """Store the position behind everything that was taken, in the transaction that stores what it held."""
        conn.execute(
            "UPDATE sources SET path = ?, device = ?, inode = ?, position = ?, tail_crc = ?, first_size = ?,"
            " first_crc = ?, rows = rows + ?, rejected = rejected + ?, followed = max(followed, ?), read_at = ?"
            " WHERE id = ?",
            (self.path, self.device, self.inode, self.taken, self.tail_crc, self.first_size, self.first_crc,
             rows, rejected, self.followed, now, self.id),
        )  # fmt: skip
        chunks = [*self.full_chunks, (self.taken // CHUNK, self.crcs.tobytes())]
        conn.executemany(
            "INSERT INTO source_marks VALUES (?, ?, ?)"
            " ON CONFLICT (source_id, chunk) DO UPDATE SET crcs = excluded.crcs",
            ((self.id, chunk, crcs) for chunk, crcs in chunks if crcs),
        )

    def saved(self) -> None:
        """What was saved has been committed."""
        self.full_chunks.clear()
        self.position = self.taken


_COLUMNS = "id, path, position, device, inode, followed, first_size, first_crc, tail_crc"


def followed_sources(conn: sqlite3.Connection, path: str) -> list[Checkpoint]:
    """What the follower has read of a path, under whatever name it is now: the last hundred files, latest first."""
    return _selected(conn, "followed AND path = ? ORDER BY read_at DESC, id DESC LIMIT 100", path)


def sources_at(conn: sqlite3.Connection, device: int, inode: int) -> list[Checkpoint]:
    """What was read of a file with this device and inode, latest first; it may be another file by now."""
    where = "device = ? AND inode = ? AND first_size > 0 ORDER BY read_at DESC, id DESC LIMIT 10"
    return _selected(conn, where, device, inode)


def last_read(conn: sqlite3.Connection, source: Checkpoint) -> int:
    """When a source was last read from; Unix seconds by the clock of that time."""
    row = conn.execute("SELECT read_at FROM sources WHERE id = ?", (source.id,)).fetchone()
    return int(row[0]) if row else 0


def _selected(conn: sqlite3.Connection, where: str, *values: object) -> list[Checkpoint]:
    rows = conn.execute(f"SELECT {_COLUMNS} FROM sources WHERE {where}", values).fetchall()
    return [_checkpoint(conn, row) for row in rows]


def unchanged(conn: sqlite3.Connection, source: Checkpoint, read: Callable[[int, int], bytes]) -> bool:
    """Whether a file of the same identity still begins with what was read of it.

    By its first block and the last chunk, so that a start does not read gigabytes; `read(size, position)`.
    """
    if zlib.crc32(read(source.first_size, 0)) != source.first_crc:
        return False
    if not source.position:
        return True
    chunk = (source.position - 1) // CHUNK
    hasher = Hasher(chunk * CHUNK)
    crcs = array(CRC, hasher.update(read(source.position - hasher.position, hasher.position)))
    stored = conn.execute(
        "SELECT crcs FROM source_marks WHERE source_id = ? AND chunk = ?", (source.id, chunk)
    ).fetchone()
    seen = hasher.position, hasher.tail_crc, crcs.tobytes()
    return seen == (source.position, source.tail_crc, stored[0] if stored else b"")


def find_or_begin(
    conn: sqlite3.Connection, new: Checkpoint, open_content: Callable[[], BinaryIO], now: int
) -> tuple[Checkpoint, bool]:
    """What `find` finds, or `new` at position 0, recorded so that of two readers of a new content one finds the other.

    The write lock is not held while contents are compared; when somebody began a source meanwhile, all is looked at
    again.
    """
    while True:
        with snapshot(conn):
            latest, found = newest(conn), find(conn, open_content)
        if found:
            return found
        with closing(open_content()) as content:
            head = read_exactly(content, BLOCK)
        with transaction(conn):
            if newest(conn) == latest:
                begin(conn, new, head, now)
                return new, False


def _checkpoint(conn: sqlite3.Connection, row: Any) -> Checkpoint:
    source, path, position, device, inode, followed, first_size, first_crc, tail_crc = row
    chunk = conn.execute(
        "SELECT crcs FROM source_marks WHERE source_id = ? AND chunk = ?", (source, position // CHUNK)
    ).fetchone()
    return Checkpoint(
        path, source, position, device, inode, bool(followed), position, tail_crc,
        array(CRC, chunk[0] if chunk else b""), first_size=first_size, first_crc=first_crc,
    )  # fmt: skip


def find(conn: sqlite3.Connection, open_content: Callable[[], BinaryIO]) -> tuple[Checkpoint, bool] | None:
    """The source that has this content, and whether all of the content was read already; None when it is new.

    `open_content` gives the content from its beginning, decompressed. The longest source that agrees wins.
    """
    found = None
    for candidate in _candidates(conn, open_content):
        with closing(open_content()) as content:
            agreed = agreement(conn, candidate, content)
        if agreed is not None and (found is None or found[0].position < candidate.position):
            found = candidate, agreed < candidate.position
    return found


def _candidates(conn: sqlite3.Connection, open_content: Callable[[], BinaryIO]) -> Iterator[Checkpoint]:
    with closing(open_content()) as content:
        head = read_exactly(content, BLOCK)
    sizes = [
        size for (size,) in conn.execute("SELECT DISTINCT first_size FROM sources WHERE first_size <= ?", (len(head),))
    ]
    for size in sizes:
        for row in conn.execute(
            f"SELECT {_COLUMNS} FROM sources WHERE first_size = ? AND first_crc = ? ORDER BY position DESC",
            (size, zlib.crc32(head[:size])),
        ).fetchall():
            yield _checkpoint(conn, row)


def agreement(conn: sqlite3.Connection, source: Checkpoint, content: BinaryIO) -> int | None:
    """How much of the content was compared, up to the source's position; None when it differs."""
    marks = conn.execute("SELECT crcs FROM source_marks WHERE source_id = ? ORDER BY chunk", (source.id,))
    seen = Hasher()
    while seen.position < source.position:
        data = read_exactly(content, min(CHUNK, source.position - seen.position))
        crcs = array(CRC, seen.update(data)).tobytes()
        stored = marks.fetchone()
        if not (stored[0] if stored else b"").startswith(crcs):
            return None
        if len(data) < CHUNK:
            break
    if seen.position == source.position and seen.tail_crc != source.tail_crc:
        return None
    return seen.position


def newest(conn: sqlite3.Connection) -> int | None:
    """The source that was recorded last."""
    newest: int | None = conn.execute("SELECT max(id) FROM sources").fetchone()[0]
    return newest


def begin(conn: sqlite3.Connection, checkpoint: Checkpoint, head: bytes, now: int) -> None:
    """Record a new source at position 0, known by its first bytes, so that a second reader of it finds the first."""
    head = head[:BLOCK]
    cursor = conn.execute(
        "INSERT INTO sources (path, device, inode, first_size, first_crc, position, tail_crc, rows, rejected, followed,"
        " read_at) VALUES (?, ?, ?, ?, ?, 0, 0, 0, 0, ?, ?)",
        (checkpoint.path, checkpoint.device, checkpoint.inode, len(head), zlib.crc32(head), checkpoint.followed, now),
    )
    assert cursor.lastrowid is not None
    checkpoint.id = cursor.lastrowid
