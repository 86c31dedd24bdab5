"""Requests counted together by processes that come, crash and go."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from proxyweb.request_counts import BOUNDS, BUCKETS, RequestCounts, Series, shared_memory

KINDS = [("/api/status", "GET"), ("/api/logs/clear", "POST"), ("unmatched", "GET")]


@pytest.fixture
def memory() -> Iterator[int]:
    with shared_memory() as descriptor:
        yield descriptor


def in_a_process(work: Callable[[], object]) -> int:
    """Start a process that does `work`, and give its number; it ends without tidying up."""
    child = os.fork()
    if not child:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def add(memory: int, times: int) -> None:
    counts = RequestCounts(KINDS, memory)
    for _ in range(times):
        counts.add("/api/status", "GET", 200, 0.004)


def number(memory: int) -> int:
    """How many requests were counted, as a process sees it that comes later."""
    receiver, sender = os.pipe()
    child = in_a_process(
        lambda: os.write(sender, b"%d" % sum(sum(series.buckets) for series in RequestCounts(KINDS, memory).series()))
    )
    assert ended(child) == 0
    os.close(sender)
    with open(receiver, "rb") as said:
        return int(said.read())


def test_processes_at_the_same_time_lose_nothing(memory: int) -> None:
    started, start = os.pipe()

    def add_when_told() -> None:
        os.read(started, 1)
        add(memory, 30_000)

    children = [in_a_process(add_when_told) for _ in range(4)]
    os.write(start, b"....")
    assert [ended(child) for child in children] == [0] * 4
    assert number(memory) == 120_000


def test_counts_outlive_a_process_that_is_killed_and_take_no_more_room(memory: int) -> None:
    receiver, sender = os.pipe()

    def count_and_wait() -> None:
        add(memory, 10)
        os.write(sender, b".")
        signal.pause()

    sizes = []
    for _ in range(20):
        child = in_a_process(count_and_wait)
        os.read(receiver, 1)
        os.kill(child, signal.SIGKILL)
        assert ended(child) == -signal.SIGKILL
        sizes.append(os.fstat(memory).st_blocks)
    assert number(memory) == 200
    assert len(set(sizes)) == 1


def test_another_version_counts_by_itself(memory: int, caplog: pytest.LogCaptureFixture) -> None:
    child = in_a_process(lambda: add(memory, 10))
    assert ended(child) == 0
    caplog.set_level("WARNING", "proxyweb.metrics")
    other = RequestCounts([*KINDS, ("/new", "GET")], memory)
    other.add("/new", "GET", 200, 0.1)
    assert [series.route for series in other.series()] == ["/new"]
    assert "restart it as a whole" in caplog.text
    assert number(memory) == 10


def test_what_is_counted() -> None:
    counts = RequestCounts(KINDS)
    for seconds in (0.0, 0.001, 0.0011, 10.0, 10.5, 3000.0):
        counts.add("/api/status", "GET", 304, seconds)
    counts.add("/api/logs/clear", "POST", 503, 0.3)
    for route, method, status in (("/api/status", "POST", 200), ("/nope", "GET", 200), ("/api/status", "GET", 999)):
        counts.add(route, method, status, 1.0)
    clear, read = counts.series()
    assert clear == Series("/api/logs/clear", "POST", "5xx", [int(bound == 0.5) for bound in (*BOUNDS, 0)], 0.3)
    assert read[:3] == ("/api/status", "GET", "3xx")
    assert read.buckets == [2, 1, *[0] * (BUCKETS - 4), 1, 2]
    assert read.seconds == pytest.approx(3020.5021)
