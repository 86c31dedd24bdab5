"""One growing file: what is written is stored once it is a line, whatever stands at the path meanwhile."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from proxyweb.db.connection import connect
from proxyweb.ingest.content import BLOCK_BYTES
from proxyweb.ingest.encoder import Encoder
from proxyweb.ingest.importer import Importer
from proxyweb.ingest.logfile import open_regular
from proxyweb.ingest.squid import MAX_LINE
from proxyweb.ingest.tail import Tail
from proxyweb.retention import clear_all
from tests.ingest.factory import log, traffic
from tests.ingest.following import Following, Writer

NOBODY = 65_534


def import_all(following: Following, path: Path) -> int:
    """What `proxyweb import` adds; returns the rows."""
    conn = connect(following.database)
    try:
        return Importer(conn, parallel=False).import_file(path).rows
    finally:
        conn.close()


def test_lines_are_stored_as_they_come(following: Following, writer: Writer) -> None:
    following.turn()
    assert following.status.state == "waiting"
    for _ in range(5):
        writer.write(3)
        following.turn(2)
        assert following.exact(writer)
    assert (following.status.state, following.status.error) == ("following", None)
    assert following.status.lines_per_second > 0


def test_a_line_counts_when_it_is_whole(following: Following, writer: Writer) -> None:
    writer.write(2)
    line = writer.next_lines(1)
    for part in (line[:1], line[1:60], line[60:-1]):
        writer.put(part)
        following.turn()
        assert following.numbers() == [0, 1]
    following.restart()
    assert following.numbers() == [0, 1]
    assert (following.status.lag_bytes, following.status.lag_seconds > 0) == (len(line) - 1, True)
    writer.put(line[-1:])
    following.turn()
    following.restart()
    assert following.exact(writer)
    assert (following.status.lag_bytes, following.status.lag_seconds) == (0, 0)


def test_a_first_line_that_is_not_whole(following: Following, writer: Writer) -> None:
    line = writer.next_lines(1)
    writer.put(line[:40])
    following.turn()
    following.restart()
    writer.put(line[40:])
    following.turn()
    assert following.exact(writer)


@pytest.mark.parametrize("obstacle", ["folder", "fifo", "link to nothing", "link to itself"])
def test_something_else_at_the_path(following: Following, writer: Writer, obstacle: str) -> None:
    writer.write(3)
    following.turn()
    away = writer.path.with_name("kept")
    writer.path.rename(away)
    if obstacle == "folder":
        writer.path.mkdir()
    elif obstacle == "fifo":
        os.mkfifo(writer.path)
    else:
        writer.path.symlink_to("nowhere" if obstacle == "link to nothing" else writer.path.name)
    writer.write(2)
    following.turn()
    assert following.exact(writer), "what is written to the file that was open"
    status = following.status
    if obstacle == "link to nothing":
        assert (status.state, status.error) == ("waiting", None)
    else:
        assert status.state == "error"
        assert str(status.error).startswith(f"{writer.path} can't be read: ")
    if writer.path.is_dir():
        writer.path.rmdir()
    else:
        writer.path.unlink()
    away.rename(writer.path)
    writer.write(2)
    following.turn()
    assert (following.status.state, following.exact(writer)) == ("following", True)


def test_a_log_that_may_not_be_read(following: Following, writer: Writer) -> None:
    writer.write(3)
    following.turn()
    writer.path.rename(writer.path.with_name("access.log.1"))
    writer.write(2)
    writer.reopen()
    writer.path.chmod(0)
    (watch,) = following.follower.watches
    user = os.geteuid()
    if user == 0:  # who may read everything
        os.seteuid(NOBODY)
    watch.look(following.monotonic)
    os.seteuid(user)
    assert watch.trouble == f"{writer.path} can't be read: Permission denied."
    assert following.status.state == "error"
    writer.path.chmod(0o640)
    writer.write(2)
    following.turn()
    assert (following.status.state, following.exact(writer)) == ("following", True)


def test_a_link_to_the_log_is_followed(following: Following, writer: Writer) -> None:
    writer.write(3)
    following.turn()
    writer.path.rename(writer.path.with_name("elsewhere"))
    writer.path.symlink_to("elsewhere")
    writer.write(3)
    following.turn()
    assert following.exact(writer)


def test_what_is_replaced_while_it_is_read_is_not_taken(following: Following, writer: Writer) -> None:
    writer.write(20)
    following.turn()
    (tail,) = following.follower.watches[0].files
    writer.write(5)
    tail.look(0)
    os.truncate(writer.path, 0)
    writer.put(b"other\n" * 2000)
    assert list(tail.batches(Encoder())) == []
    assert tail.cut


def test_long_lines_and_garbage(following: Following, writer: Writer) -> None:
    writer.write(2)
    writer.put(b"x" * 1_000_000)
    following.turn()
    file = following.follower.watches[0].files[0]
    assert isinstance(file, Tail)
    assert len(file._lines.held) <= MAX_LINE + BLOCK_BYTES
    following.restart()  # in the middle of the line
    writer.put(b" TCP_MISS\n")
    writer.write(2)
    writer.put(bytes(range(256)) * 40 + b"\n\x1b[2J\0\0\n")
    writer.write(2)
    following.turn()
    assert following.exact(writer)
    assert following.rejected()["longer than 64 KiB"] == 1


def test_another_process_reads_the_same_file(following: Following, writer: Writer) -> None:
    for count in (50, 300):
        writer.write(count)
        following.turn()
        writer.put(writer.next_lines(count).replace(b"http://site", b"http://sites-of-%d-" % count))
        assert import_all(following, writer.path) == count
        writer.put(writer.next_lines(count).replace(b"http://site", b"http://later-%d-" % count))
        following.turn()
        assert following.exact(writer)
        copy = Path(shutil.copy(writer.path, writer.path.with_name("copy.log")))
        writer.write(count)
        with open(copy, "ab") as file:
            file.write(log(*traffic(count, start=writer.lines - count)))
        assert import_all(following, copy) == count, "known by its content"
        following.turn()
        assert following.exact(writer)
    assert following.destinations() == [line.split()[6].decode() for line in writer.path.read_bytes().splitlines()]
    following.restart()
    writer.path.rename(writer.path.with_name("access.log.1"))
    following.stop()
    writer.write(5)
    writer.reopen()
    writer.write(5)
    following.restart()
    assert following.exact(writer), "the follower still knows which file it was"


def test_an_imported_file_is_followed_from_there(following: Following, writer: Writer) -> None:
    writer.write(5)
    import_all(following, writer.path)
    writer.write(5)
    following.turn()
    assert following.exact(writer)


def test_a_known_content_that_is_put_back_is_not_read_again(following: Following, writer: Writer) -> None:
    writer.write(40)
    following.turn()
    content = writer.path.read_bytes()
    part = content[: content.index(b"\n", 2000) + 1]
    writer.close()
    writer.path.unlink()
    writer.put(part)
    following.turn()
    assert following.exact(writer)
    assert following.status.lag_bytes == 0
    writer.write(3)  # it goes on in another way, as after a crash that took the end of the log with it
    following.turn(8)
    following.restart()
    assert following.exact(writer)


def test_cleared_lines_do_not_come_back(following: Following, writer: Writer) -> None:
    writer.write(20)
    following.turn()
    conn = connect(following.database)
    assert clear_all(conn) == 20
    conn.close()
    writer.write(1)
    following.turn()
    following.restart()
    assert following.numbers() == [20]
    conn = connect(following.database, readonly=True)
    hosts = conn.execute("SELECT host FROM hosts").fetchall()
    conn.close()
    assert hosts == [("site6.test",)], "what only cleared lines named is forgotten"


@pytest.mark.parametrize("now", [0.0, 2**31 + 5.0, 1_600_000_000.0])
def test_the_clock_jumps(following: Following, writer: Writer, now: float) -> None:
    writer.write(3)
    following.turn()
    following.time = now
    writer.write(3)
    following.turn()
    following.restart()
    writer.write(3)
    following.turn()
    assert following.exact(writer)
    assert following.status.time == following.time


def test_a_fifo_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    writer = os.open(tmp_path / "fifo", os.O_RDWR | os.O_NONBLOCK)
    with pytest.raises(OSError, match="Not a regular file"):
        open_regular(tmp_path / "fifo")
    os.close(writer)
