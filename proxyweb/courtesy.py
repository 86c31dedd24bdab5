"""Exports give way: each takes seconds of a worker's time, and everything else that is asked of it milliseconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from time import perf_counter

from proxyweb.errors import Busy

PATIENCE = 8.0
"""How much longer than it worked an export waits for others at most, so that it ends however busy the worker is."""


class UnderWay:
    """What a worker is at: all its requests, and those of them that are exports. Shared by its threads."""

    def __init__(self, most_exports: int) -> None:
        self._most_exports = most_exports
        self._requests = 0
        self._exports = 0
        self._changed = Condition()

    def begin(self) -> None:
        """A request has come."""
        with self._changed:
            self._requests += 1

    def end(self) -> None:
        """It is answered."""
        with self._changed:
            self._requests -= 1
            if self._only_exports():
                self._changed.notify_all()

    @contextmanager
    def export(self) -> Iterator[None]:
        """For as long as a request is an export. A thread is busy with it for as long as the client takes; some stay
        free. Raises Busy."""
        with self._changed:
            if self._exports >= self._most_exports:
                raise Busy("Other exports are being fetched; try again in a moment.")
            self._exports += 1
        try:
            yield
        finally:
            with self._changed:
                self._exports -= 1

    def give_way(self, worked_since: float) -> None:
        """Called by an export now and then, with the time (of `perf_counter`) since when it worked: let others go
        first, if there are any."""
        with self._changed:
            self._changed.wait_for(self._only_exports, PATIENCE * (perf_counter() - worked_since))

    def _only_exports(self) -> bool:
        return self._requests <= self._exports
