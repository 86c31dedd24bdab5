"""Every line is stored once, however the log was rotated while nobody followed it."""

from __future__ import annotations

import os
import time

import pytest

from proxyweb.db.connection import connect
from proxyweb.ingest import archive, batches
from proxyweb.retention import clear_all
from tests.ingest.factory import log, traffic
from tests.ingest.following import Following, Writer
from tests.ingest.rotating import compress, copytruncate, shift


def test_copytruncate_while_down(started: Following, writer: Writer) -> None:
    started.stop()
    writer.write(3)
    copytruncate(writer.path)
    writer.write(40)
    started.restart()
    assert started.exact(writer)


@pytest.mark.parametrize("packed", [(), (2,), (1, 2), (1, 2, 3)])
def test_rotations_while_down(started: Following, writer: Writer, packed: tuple[int, ...]) -> None:
    started.stop()
    for count in (3, 5, 7):
        writer.write(count)
        shift(writer.path)
        writer.reopen()
    writer.write(1)
    for number in packed:
        compress(writer.path.with_name(f"access.log.{number}"))
    started.restart()
    assert started.exact(writer)
    started.restart()
    assert started.exact(writer)


def test_cleared_in_the_middle_of_a_compressed_file(
    started: Following, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "TRANSACTION_BYTES", 1)
    monkeypatch.setattr(batches, "BLOCK_BYTES", 32_768)
    started.stop()
    for part in range(10):
        writer.put(writer.next_lines(200).replace(b"http://site", b"http://part-%d-" % part))
    content = writer.path.read_bytes()
    shift(writer.path)
    compress(writer.path.with_name("access.log.1"))
    started.restart()
    stored = len(started.numbers())
    assert stored < writer.lines
    conn = connect(started.database)
    assert clear_all(conn) == stored
    conn.close()
    started.turn(20)
    assert started.destinations() == [line.split()[6].decode() for line in content.splitlines()[stored:]]


def test_history_stays_history_after_rotations_while_down(started: Following, writer: Writer) -> None:
    started.stop()
    history = writer.path.with_name("access.log.7")
    history.write_bytes(log(*traffic(3, start=900)))
    os.utime(history, (time.time() - 60,) * 2)
    shift(writer.path)
    writer.reopen()
    writer.write(3)
    started.restart()
    assert started.exact(writer)


def test_a_renamed_file_grows_while_down(started: Following, writer: Writer) -> None:
    shift(writer.path)
    laggard = Writer(writer.path.with_name("access.log.1"))  # another of Squid's processes, not told yet
    writer.reopen()
    writer.write(1)
    started.turn()
    started.stop()
    laggard.lines = 100
    laggard.write(2)
    laggard.close()
    started.restart()
    assert started.numbers() == [*range(11), 100, 101]


def test_rotated_while_down_and_still_written_to(started: Following, writer: Writer) -> None:
    started.stop()
    shift(writer.path)
    started.restart()
    writer.write(3)
    started.turn()
    writer.path.touch()
    started.restart()
    writer.write(3)
    started.turn()
    writer.reopen()
    writer.write(1)
    started.turn()
    assert started.exact(writer)


def test_the_file_read_last_is_gone(started: Following, writer: Writer) -> None:
    started.stop()
    shift(writer.path)
    writer.reopen()
    history = writer.path.with_name("access.log.9")
    history.write_bytes(b"1700000000.000 1 10.0.0.1 TCP_MISS/200 1 GET http://old.test/999 - HIER_NONE/- -\n")
    os.utime(history, (started.time - 86_400, started.time - 86_400))
    writer.write(5)
    shift(writer.path)
    writer.reopen()
    writer.path.with_name("access.log.2").unlink()
    writer.write(1)
    started.restart()
    assert started.exact(writer)


def test_what_lies_beside_a_new_log_is_history(following: Following, writer: Writer) -> None:
    history = writer.path.with_name("access.log.1")
    history.write_bytes(writer.next_lines(5))
    os.utime(history, (history.stat().st_mtime - 60,) * 2)
    writer.write(5)
    following.turn()
    following.restart()
    shift(writer.path)
    writer.reopen()
    writer.write(5)
    following.turn()
    following.restart()
    assert following.numbers() == list(range(5, 15))
