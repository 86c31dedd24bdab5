"""Every line is stored once, however the log is rotated, whether the follower runs meanwhile or not."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxyweb.ingest.rotation import IDLE_SECONDS, MOST_OPEN
from tests.ingest.following import Following, Writer


def shift(path: Path) -> None:
    """Rename as logrotate does: `access.log.1` to `access.log.2` and so on, then `access.log` to `access.log.1`."""
    kept = sorted(path.parent.glob(f"{path.name}.*"), key=lambda name: -int(name.name.split(".")[2]))
    for name in kept:
        number, *suffix = name.name.removeprefix(f"{path.name}.").split(".")
        name.rename(path.with_name(".".join([path.name, str(int(number) + 1), *suffix])))
    path.rename(path.with_name(f"{path.name}.1"))


def compress(path: Path) -> Path:
    """As gzip does: the time of the last change is kept."""
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    status = path.stat()
    os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.unlink()
    return packed


def copytruncate(path: Path, suffix: str = ".1") -> Path:
    copy = Path(shutil.copy(path, path.with_name(path.name + suffix)))
    os.truncate(path, 0)
    return copy


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def exact(following: Following, writer: Writer) -> bool:
    """Whether every line is stored, once, in the order in which it was written."""
    return following.numbers() == list(range(writer.lines))


@pytest.fixture
def started(following: Following, writer: Writer) -> Following:
    """A follower that has read ten lines."""
    writer.write(10)
    following.turn()
    assert exact(following, writer)
    return following


def test_a_renamed_file_is_read_while_squid_still_writes_to_it(started: Following, writer: Writer) -> None:
    shift(writer.path)
    for _ in range(3):
        writer.write(2)
        started.turn()
        assert exact(started, writer)
    assert started.status.state == "waiting"
    writer.path.touch()  # logrotate's `create`
    writer.write(2)
    started.turn()
    assert exact(started, writer), started.numbers()
    writer.reopen()
    writer.write(2)
    started.turn()
    assert exact(started, writer), started.numbers()
    assert (started.status.state, started.status.lag_bytes) == ("following", 0)


def test_several_rotations_between_two_looks(started: Following, writer: Writer) -> None:
    for count in (3, 2, 4):
        writer.write(count)
        shift(writer.path)
        writer.reopen()
    writer.write(1)
    compress(writer.path.with_name("access.log.2"))
    started.turn()
    assert exact(started, writer), started.numbers()


@pytest.mark.parametrize("fate", [Path.unlink, compress])
def test_the_rest_of_a_file_that_is_gone(started: Following, writer: Writer, fate: object) -> None:
    writer.write(5)
    shift(writer.path)
    writer.reopen()
    fate(writer.path.with_name("access.log.1"))  # type: ignore[operator]
    writer.write(1)
    started.turn()
    assert exact(started, writer), started.numbers()


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
    assert exact(started, writer), started.numbers()


def test_copytruncate(started: Following, writer: Writer) -> None:
    copytruncate(writer.path)
    started.turn()
    writer.write(3)
    started.turn()
    assert exact(started, writer), started.numbers()
    writer.write(4)  # not read yet when it is cut
    copytruncate(writer.path, "-20260202")
    started.turn()
    assert exact(started, writer), started.numbers()
    writer.write(2)
    compress(copytruncate(writer.path, "-20260203"))
    writer.write(30)  # more than there was before
    started.turn()
    assert exact(started, writer), started.numbers()
    for day in (4, 5):  # twice between two looks
        writer.write(7)
        copytruncate(writer.path, f"-2026020{day}")
    writer.write(1)
    started.turn()
    assert exact(started, writer), started.numbers()


def test_the_same_size_again_is_another_content(started: Following, writer: Writer) -> None:
    copytruncate(writer.path)
    writer.put(b"")
    size = len(b"".join([writer.next_lines(10)]))
    writer.lines -= 10
    os.truncate(writer.path, 0)
    writer.write(10)
    assert writer.path.stat().st_size >= size
    started.turn()
    assert exact(started, writer), started.numbers()


def test_copytruncate_while_down(started: Following, writer: Writer) -> None:
    started.stop()
    writer.write(3)
    copytruncate(writer.path)
    writer.write(40)
    started.restart()
    assert exact(started, writer), started.numbers()


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
    assert exact(started, writer), started.numbers()
    started.restart()
    assert exact(started, writer), started.numbers()


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
    assert exact(started, writer), started.numbers()


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
    assert exact(started, writer), started.numbers()


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


def test_what_is_no_log_is_passed_over(started: Following, writer: Writer) -> None:
    shift(writer.path)
    writer.path.with_name("access.log.offset").write_bytes(b"4711\0\n" * 9)
    writer.path.with_name("access.log-folder").mkdir()
    os.mkfifo(writer.path.with_name("access.log.fifo"))
    writer.reopen()
    writer.write(1)
    started.turn()
    assert exact(started, writer), started.numbers()
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


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 30)),
        st.tuples(st.just("part"), st.integers(1, 100)),
        st.sampled_from(
            [
                ("shift", 0),
                ("reopen", 0),
                ("turn", 1),
                ("turn", 3),
                ("restart", 0),
                ("stop", 0),
                ("compress", 0),
                ("cut", 0),
            ]
        ),
    ),
    max_size=25,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
def test_any_order_of_events(migrated: Path, actions: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(migrated, folder)
        _live(Path(folder), actions)


def _live(folder: Path, actions: list[tuple[str, int]]) -> None:
    (folder / "logs").mkdir()
    writer = Writer(folder / "logs" / "access.log")
    following = Following(folder, writer.path)
    rest = b""
    writer.write(1)
    following.turn()
    for action, amount in actions:
        if action == "write":
            writer.put(rest + writer.next_lines(amount))
            rest = b""
        elif action == "part" and not rest:
            line = writer.next_lines(1)
            writer.put(line[:amount])
            rest = line[amount:]
        elif action == "shift" and writer.path.exists():
            shift(writer.path)
        elif action == "reopen" and not rest:
            writer.reopen()
        elif action == "cut" and writer.path.exists() and not rest:
            shift(writer.path)
            shutil.copy2(writer.path.with_name("access.log.1"), folder / "copy")
            writer.path.with_name("access.log.1").rename(writer.path)
            (folder / "copy").rename(writer.path.with_name("access.log.1"))
            os.truncate(writer.path, 0)
        elif action == "compress":
            compress_oldest(writer)
        elif action == "turn":
            following.turn(amount)
        elif action == "restart":
            following.restart()
        elif action == "stop":
            following.stop()
    writer.put(rest)
    writer.reopen()
    writer.write(1)
    following.restart()
    following.stop()
    writer.close()
    assert sorted(following.numbers()) == list(range(writer.lines))


def compress_oldest(writer: Writer) -> None:
    """The oldest file that is not compressed, if it is not being written to."""
    plain = [path for path in writer.path.parent.glob("access.log.*") if path.suffix != ".gz"]
    if len(plain) > 1:
        compress(max(plain, key=lambda path: int(path.suffix[1:])))


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
    assert exact(following, writer)
