"""Logs that are renamed, copied and cut, packed and replaced, while the follower runs, sleeps or is down."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

from tests.e2e.program import Follow
from tests.faults.checking import STORED_SECONDS, exact, rotate, times, writing
from tests.ingest.following import Writer
from tests.ingest.rotating import compress, copytruncate, shift

RECOVERED_SECONDS = 5.0
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


def test_every_eighty_milliseconds(follow: Follow, writer: Writer) -> None:
    with writing(writer, 3000):
        for _ in range(times(40, 400)):
            shift(writer.path)
            time.sleep(0.03)
            writer.reopen()
            time.sleep(0.05)
    exact(follow, writer)


def test_asleep_with_a_backlog_and_rotations(follow: Follow, writer: Writer) -> None:
    follow.signal(signal.SIGSTOP)
    writer.write(times(40_000))
    rotate(writer)
    writer.write(10)
    rotate(writer)
    writer.write(10)
    follow.signal(signal.SIGCONT)
    begun, before = time.monotonic(), follow.count()
    follow.wait(lambda: follow.count() >= writer.lines, STORED_SECONDS)
    print(f"{(writer.lines - before) / (time.monotonic() - begun):,.0f} lines/s")
    exact(follow, writer)


def test_twice_while_down(follow: Follow, writer: Writer) -> None:
    for _ in range(times(2, 10)):
        writer.write(1000)
        follow.wait(lambda: follow.count() > 0)
        follow.kill()
        writer.write(3000)
        rotate(writer)
        writer.write(3000)
        rotate(writer)
        compress(writer.path.with_name("access.log.2"))
        writer.write(100)
        follow.start()
        exact(follow, writer)


def test_copied_and_cut_while_down_and_larger_than_before(follow: Follow, writer: Writer) -> None:
    for number in range(times(2, 10)):
        writer.write(1000)
        follow.wait(lambda: follow.count() == writer.lines)
        read_to = writer.path.stat().st_size
        follow.kill()
        writer.write(500)
        copytruncate(writer.path, f".{number}")
        while writer.path.stat().st_size <= read_to + 10_000:
            writer.write(500)
        follow.start()
        exact(follow, writer)


def test_a_last_line_without_its_end_waits_for_it(follow: Follow, writer: Writer) -> None:
    for cut in (1, 50, -1):
        line = writer.next_lines(1)
        before = writer.lines - 1
        writer.put(line[:cut])
        time.sleep(0.5)
        assert follow.count() == before
        if cut == 50:  # nor does it count early when it is met at a start
            follow.kill()
            follow.start()
            time.sleep(1)
            assert follow.count() == before
        writer.put(line[cut:])
        exact(follow, writer)


def bind_by_rights() -> None:
    """Have root need the rights of a file as everybody does (the bounding set holds from the next exec on)."""
    libc = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def as_a_folder(path: Path) -> None:
    path.mkdir()


def as_a_fifo(path: Path) -> None:
    os.mkfifo(path)


def as_a_link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def as_a_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def as_a_file_without_rights(path: Path) -> None:
    path.touch(0)


REPLACED = (as_a_folder, as_a_fifo, as_a_link_to_nothing, as_a_link_to_itself, as_a_file_without_rights)


def test_replaced_by_what_is_no_log_and_back(instance: Path, writer: Writer) -> None:
    """The rest of the file that stood there is read meanwhile; what stands there afterwards is read within 5 s."""
    with Follow(instance, writer.path).started(bind_by_rights) as follow:
        follow.wait(lambda: follow.count() == 1, 30)
        for replace in REPLACED:
            shift(writer.path)
            replace(writer.path)
            follow.wait(lambda: follow.status and follow.status.state in ("error", "waiting"), 30)
            writer.write(10)
            follow.wait(lambda: follow.count() == writer.lines)
            remove(writer.path)
            writer.reopen()
            writer.write(10)
            begun = time.monotonic()
            follow.wait(lambda: follow.count() == writer.lines)
            assert time.monotonic() - begun < RECOVERED_SECONDS
            follow.wait(lambda: follow.status and follow.status.state == "following")
        exact(follow, writer)


def remove(path: Path) -> None:
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink()
