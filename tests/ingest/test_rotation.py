"""Every line is stored once, however the log is rotated while it is followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxyweb.ingest.rotation import IDLE_SECONDS, MOST_OPEN
from tests.ingest.following import Following, Writer
from tests.ingest.rotating import compress, copytruncate, shift


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_renamed_file_is_read_while_squid_still_writes_to_it(started: Following, writer: Writer) -> None:
    shift(writer.path)
    for _ in range(3):
        writer.write(2)
        started.turn()
        assert started.exact(writer)
    assert started.status.state == "waiting"
    writer.path.touch()  # logrotate's `create`
    writer.write(2)
    started.turn()
    assert started.exact(writer)
    writer.reopen()
    writer.write(2)
    started.turn()
    assert started.exact(writer)
    assert (started.status.state, started.status.lag_bytes) == ("following", 0)


def test_several_rotations_between_two_looks(started: Following, writer: Writer) -> None:
    for count in (3, 2, 4):
        writer.write(count)
        shift(writer.path)
        writer.reopen()
    writer.write(1)
    compress(writer.path.with_name("access.log.2"))
    started.turn()
    assert started.exact(writer)


@pytest.mark.parametrize("fate", [Path.unlink, compress])
def test_the_rest_of_a_file_that_is_gone(started: Following, writer: Writer, fate: object) -> None:
    writer.write(5)
    shift(writer.path)
    writer.reopen()
    fate(writer.path.with_name("access.log.1"))  # type: ignore[operator]
    writer.write(1)
    started.turn()
    assert started.exact(writer)


def test_a_last_line_is_waited_for_after_renaming(started: Following, writer: Writer) -> None:
    line = writer.next_lines(1)
    writer.put(line[:50])
    started.turn()
    shift(writer.path)
    started.turn()
    assert len(started.numbers()) == 10
    writer.put(line[50:])
    writer.reopen()
    started.turn()
    assert started.exact(writer)


def test_copytruncate(started: Following, writer: Writer) -> None:
    copytruncate(writer.path)
    started.turn()
    writer.write(3)
    started.turn()
    assert started.exact(writer)
    writer.write(4)  # not read yet when it is cut
    copytruncate(writer.path, "-20260202")
    started.turn()
    assert started.exact(writer)
    writer.write(2)
    compress(copytruncate(writer.path, "-20260203"))
    writer.write(30)  # more than there was before
    started.turn()
    assert started.exact(writer)
    for day in (4, 5):  # twice between two looks
        writer.write(7)
        copytruncate(writer.path, f"-2026020{day}")
    writer.write(1)
    started.turn()
    assert started.exact(writer)


def test_the_same_size_again_is_another_content(started: Following, writer: Writer) -> None:
    alike = {"user": "", "result_code": "TCP_MISS", "status": 200, "hierarchy": "HIER_DIRECT"}
    for _ in range(3):
        copytruncate(writer.path)
        writer.put(writer.next_lines(20, **alike))
        started.turn()
    assert started.exact(writer)


def test_what_is_no_log_is_passed_over(started: Following, writer: Writer) -> None:
    shift(writer.path)
    writer.path.with_name("access.log.offset").write_bytes(b"4711\0\n" * 9)
    writer.path.with_name("access.log-folder").mkdir()
    os.mkfifo(writer.path.with_name("access.log.fifo"))
    writer.reopen()
    writer.write(1)
    started.turn()
    assert started.exact(writer)
    assert started.rejected() == {}


def test_another_followed_log_is_none_of_ours(database: Path, writer: Writer) -> None:
    other = Writer(writer.path.with_name("access.log.second"))
    both = Following(database.parent, writer.path, other.path)
    writer.write(5)
    other.lines = 1000
    other.write(5)
    both.turn()
    for one in (other, writer):
        one.write(1)
        one.path.rename(f"{one.path}.1")
        one.reopen()
        one.write(1)
    both.turn()
    both.stop()
    other.close()
    assert sorted(both.numbers()) == [*range(7), *range(1000, 1007)]


def test_renamed_files_are_let_go(started: Following, writer: Writer) -> None:
    open_before = open_files()
    line = writer.next_lines(1)
    writer.put(line[:-1])
    shift(writer.path)
    old = writer.path.with_name("access.log.1")
    writer.reopen()
    writer.write(1)
    started.turn()
    assert started.numbers() == [*range(10), 11]
    started.monotonic += IDLE_SECONDS
    started.turn()
    assert started.numbers() == [*range(10), 11, 10]  # its last line will not get an end any more
    assert open_files() == open_before
    with old.open("ab") as file:
        file.write(b"\n" + writer.next_lines(1))  # but it does, and more: found when the log is rotated next
    shift(writer.path)
    writer.reopen()
    writer.write(1)
    started.turn()
    assert sorted(started.numbers()) == list(range(writer.lines))
    assert started.rejected() == {}
    for _ in range(3 * MOST_OPEN):
        shift(writer.path)
        writer.reopen()
        writer.write(1)
        started.turn(2)
    assert open_files() <= open_before + MOST_OPEN
    assert sorted(started.numbers()) == list(range(writer.lines))


def test_a_link_that_is_moved_on(following: Following, writer: Writer) -> None:
    link, days = writer.path, []
    for day in range(20260201, 20260207):
        days.append(link.with_name(f"{link.name}.{day}"))
        writer.path = days[-1]
        writer.reopen()
        link.unlink(missing_ok=True)
        link.symlink_to(days[-1].name)
        writer.write(day % 5 + 1)
        if day != 20260203:
            following.turn()
        if day == 20260204:
            following.stop()
        if day == 20260206:
            following.restart()
    assert following.exact(writer)
