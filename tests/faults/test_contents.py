"""What should not stand in a log: garbage, endless lines, damaged archives, times that run backwards."""

from __future__ import annotations

import gzip
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from proxyweb.db.connection import connect, snapshot
from proxyweb.ingest.squid import MAX_MS, MIN_MS
from tests.e2e.program import Follow, command
from tests.faults.checking import beside, exact, memory_kb, rotate, sound, times, writing
from tests.ingest.factory import log, traffic
from tests.ingest.following import Writer

HOUR = 3600
AFTER_2038_MS = (2**31 + 5) * 1000
FIRST_MS, LAST_MS = MIN_MS, MAX_MS - 1
MOST_GROWTH_KB = 40_000
MEGABYTE = 1_000_000


def test_garbage_between_lines(follow: Follow, writer: Writer) -> None:
    """Bytes of any value but a line's end, ESC among them. A NUL parts lines, as a crash of the file system leaves."""
    choose = random.Random(11)
    rejected = 0
    for _ in range(times(200)):
        writer.write(choose.randrange(1, 6))
        garbage = b"\x00\x1b[2J" + choose.randbytes(choose.randrange(1, 200)).replace(b"\n", b"")
        writer.put(garbage + b"\n")
        rejected += garbage.count(b"\0") + 1
    exact(follow, writer, rejected)


def test_lines_of_megabytes(follow: Follow, writer: Writer) -> None:
    """Each is one rejected line; its neighbours are stored, and memory stays where it was."""
    writer.write(5000)
    follow.wait(lambda: follow.count() == writer.lines)
    before = peak_kb(follow)
    for number in range(1, times(5) + 1):
        writer.put(b"x" * MEGABYTE * number + b"\n")
        writer.write(3)
    exact(follow, writer, times(5))
    assert peak_kb(follow) - before < MOST_GROWTH_KB


def peak_kb(follow: Follow) -> int:
    assert follow.process
    return memory_kb(follow.process.pid, "VmHWM")


SHIFTED = """
import sys, time
real, path = time.time, sys.argv.pop(1)
time.time = lambda: real() + float(open(path).read())
from proxyweb.cli import main
main(["follow"], prog_name="proxyweb")
"""


def test_a_clock_that_is_set_back_and_forth(instance: Path, writer: Writer, tmp_path: Path) -> None:
    """By an hour back, as by hand at the end of summer time, over both of Berlin's changes, behind 2038; and the log
    with it. Meanwhile no figure of the whole ever falls."""
    offset_file = tmp_path / "offset"
    offset_file.write_text("0")
    words = ["env", "TZ=Europe/Berlin", sys.executable, "-c", SHIFTED, str(offset_file)]
    now = int(time.time())
    changes = (
        int(datetime(2027, month, day, 0, 59, 50, tzinfo=UTC).timestamp()) - now for month, day in ((3, 28), (10, 31))
    )
    with Follow(instance, writer.path) as follow, rising(lambda: stored_and_counted(instance)):
        follow.kill()
        follow.start(words=words)
        follow.wait(lambda: follow.count() == 1, 30)
        for offset in (-HOUR, 48 * HOUR, -2 * HOUR, *changes, AFTER_2038_MS // 1000 - now, 0):
            offset_file.write_text(str(offset))
            writer.write(100)
            rotate(writer)
            writer.write(100)
            writer.put(writer.next_lines(10, time_ms=(now + offset) * 1000))
            if offset > 0:
                follow.kill()
                rotate(writer)
                writer.write(10)
                follow.start(words=words)
            exact(follow, writer)
            follow.wait(lambda offset=offset: abs(said_at(follow) - time.time() - offset) < 15, 30)  # type: ignore[misc]
            assert follow.numbers() == list(range(writer.lines)), "in the order of the file"


def stored_and_counted(instance: Path) -> tuple[int, int]:
    """How many rows there are, and how many requests the hours count together."""
    with closing(connect(instance / "proxyweb.sqlite", readonly=True)) as conn, snapshot(conn):
        (stored,) = conn.execute("SELECT count(*) FROM proxy_logs").fetchone()
        (counted,) = conn.execute("SELECT coalesce(sum(requests), 0) FROM hourly_requests").fetchone()
    return stored, counted


@contextmanager
def rising(look: Callable[[], tuple[int, ...]]) -> Iterator[None]:
    """Looks again and again as long as the block lasts: no figure may fall."""
    seen = [look()]

    def watch(stop: threading.Event) -> None:
        while not stop.wait(0.01):
            seen.append(look())

    with beside(watch):
        yield
    assert len(seen) > 20
    assert all(figure <= then for one, other in pairwise(seen) for figure, then in zip(one, other, strict=True))


def said_at(follow: Follow) -> float:
    status = follow.status
    return status.time if status else 0.0


def test_times_behind_2038_and_backwards(follow: Follow, writer: Writer) -> None:
    for time_ms in (AFTER_2038_MS, LAST_MS, FIRST_MS, AFTER_2038_MS):
        writer.put(writer.next_lines(10, time_ms=time_ms))
    exact(follow, writer)
    assert follow.numbers() == list(range(writer.lines))


MEMBERS = [log(*traffic(5000, start=number * 5000)) for number in range(3)]
MEMBER_BYTES = len(gzip.compress(MEMBERS[0]))
ARCHIVE = b"".join(map(gzip.compress, MEMBERS))


def test_a_truncated_archive_and_then_the_whole(instance: Path, tmp_path: Path) -> None:
    """What stands before the damage is in; again, nothing is added; of the whole one, just the rest."""
    path = tmp_path / "access.log.2.gz"
    follow, stored = Follow(instance, path), [0]
    for content, code in ((ARCHIVE[: MEMBER_BYTES + 9000], 1), (ARCHIVE, 0)):
        path.write_bytes(content)
        for again in (False, True):
            said = command(instance, path, "import", str(path))
            assert (said.returncode, "damaged" in said.stdout) == (code, bool(code)), said
            before, stored = stored, follow.numbers()
            assert stored == list(range(len(stored)))
            assert (len(stored) == len(before)) == again
        assert 5000 < len(stored) < 10_000 or not code
    assert len(stored) == 15_000
    sound(instance)


def test_an_archive_with_a_flipped_bit_and_then_the_whole(instance: Path, tmp_path: Path) -> None:
    """gzip's checksum tells at a member's end: so of that member nothing is in, before the whole archive comes."""
    flipped = bytearray(ARCHIVE)
    flipped[MEMBER_BYTES + 20_000] ^= 0x10
    path = tmp_path / "access.log.2.gz"
    for content, code, rows in ((flipped, 1, 5000), (flipped, 1, 5000), (ARCHIVE, 0, 15_000)):
        path.write_bytes(content)
        said = command(instance, path, "import", str(path))
        assert (said.returncode, "damaged" in said.stdout) == (code, bool(code)), said
        assert Follow(instance, path).numbers() == list(range(rows))
    sound(instance)


def test_an_archive_that_is_still_being_packed_while_down(follow: Follow, writer: Writer) -> None:
    """logrotate compresses while the follower starts: half an archive stands beside the file."""
    writer.write(3000)
    follow.wait(lambda: follow.count() == writer.lines)
    follow.kill()
    writer.write(3000)
    rotate(writer)
    rotated = writer.path.with_name("access.log.1")
    packed = gzip.compress(rotated.read_bytes())
    half = writer.path.with_name("access.log.1.gz")
    half.write_bytes(packed[: len(packed) // 2])
    writer.write(10)
    follow.start()
    follow.wait(lambda: follow.count() == writer.lines, 30)
    half.write_bytes(packed)
    os.utime(half, ns=(rotated.stat().st_mtime_ns,) * 2)
    rotated.unlink()
    with writing(writer, 100):
        time.sleep(0.5)
    follow.kill()
    follow.start()
    exact(follow, writer)
