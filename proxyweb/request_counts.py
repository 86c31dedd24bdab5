"""How many requests were answered, how, and how long that took; counted together by all of the web server's processes.

The counts are in memory that the supervisor makes and its children inherit, so that they outlive a worker and are gone
with `proxyweb serve`. Each process adds in a slot of its own, which it holds by a lock that ends with the process; the
next process that takes the slot counts on from where it stands. So nothing is lost or grows as workers come and go,
and adding takes no lock between processes.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
import tempfile
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from threading import Lock
from typing import NamedTuple

log = logging.getLogger("proxyweb.metrics")

SLOTS = 256
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds up to which a request falls in each bucket; what takes longer is in one more."""
STATUSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
BUCKETS = len(BOUNDS) + 1
CELLS = BUCKETS + 1  # and the nanoseconds of all
CELL_BYTES = 8
DIRECTORY_BYTES = SLOTS * CELL_BYTES


class Series(NamedTuple):
    """Requests by a route, a method and a class of status: how many fell in each bucket, and the seconds of all."""

    route: str
    method: str
    status: str
    buckets: list[int]
    seconds: float


@contextmanager
def shared_memory() -> Iterator[int]:
    """A descriptor of memory that processes which inherit it can count in together."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("proxyweb-requests", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class RequestCounts:
    """Counts by `kinds`, pairs of a route and a method; safe to share between threads.

    Without a `descriptor`, or where no slot is to be had, they are this process's own.
    """

    def __init__(self, kinds: Sequence[tuple[str, str]], descriptor: int | None = None) -> None:
        self._kinds = sorted(set(kinds))
        self._first_cell = {kind: place * len(STATUSES) * CELLS for place, kind in enumerate(self._kinds)}
        self._slot_cells = len(self._kinds) * len(STATUSES) * CELLS
        # What the cells mean; it stands in the directory for each slot that is or was in use.
        self._layout = int.from_bytes(blake2b(repr((self._kinds, BOUNDS)).encode(), digest_size=8).digest()) | 1
        self._lock = Lock()
        self._memory = self._directory = memoryview(bytearray(DIRECTORY_BYTES)).cast("Q")
        slot = None if descriptor is None else self._claimed(descriptor)
        if slot is None:
            self._memory = memoryview(bytearray(DIRECTORY_BYTES + self._slot_cells * CELL_BYTES)).cast("Q")
            self._directory, slot = self._memory[:SLOTS], 0
            self._directory[slot] = self._layout
        self._own = self._slot(slot)

    def add(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered with `status`. One of no known kind is passed over."""
        first = self._first_cell.get((route, method))
        if first is None or not 100 <= status < 600:
            return
        first += (status // 100 - 1) * CELLS
        with self._lock:
            self._own[first + bisect_left(BOUNDS, seconds)] += 1
            self._own[first + BUCKETS] += int(seconds * 1e9)

    def series(self) -> Iterator[Series]:
        """What all processes counted, without what never happened."""
        slots = [self._slot(slot) for slot in range(SLOTS) if self._directory[slot]]
        for (route, method), first_of_kind in self._first_cell.items():
            for place, status in enumerate(STATUSES):
                first = first_of_kind + place * CELLS
                found = [slot[first : first + CELLS].tolist() for slot in slots]
                *buckets, nanoseconds = (sum(cells) for cells in zip(*found, strict=True))
                if any(buckets):
                    yield Series(route, method, status, buckets, nanoseconds / 1e9)

    def _slot(self, number: int) -> memoryview:
        first = SLOTS + number * self._slot_cells
        return self._memory[first : first + self._slot_cells]

    def _claimed(self, descriptor: int) -> int | None:
        """The first slot that no other process holds. The lock is the process's: it ends with it, even by kill -9."""
        size = DIRECTORY_BYTES + SLOTS * self._slot_cells * CELL_BYTES
        if os.fstat(descriptor).st_size < size:
            os.ftruncate(descriptor, size)  # takes up only what is written to
        self._memory = memoryview(mmap.mmap(descriptor, size)).cast("Q")
        self._directory = self._memory[:SLOTS]
        if not {*self._directory} <= {0, self._layout}:
            log.warning("another version of proxyweb counts its requests here: restart it as a whole")
            return None
        for slot in range(SLOTS):
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
            except OSError:
                continue
            self._directory[slot] = self._layout
            return slot
        log.warning("requests of more than %d processes are not counted together", SLOTS)
        return None
