"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable
from contextlib import suppress

EVERY_SECONDS = 5.0


def give_back_memory() -> None:
    """After something large. glibc keeps what was freed for the process otherwise, for as long as a single later
    allocation stands behind it: deleting a million log entries left 25 MB. Takes some milliseconds."""
    with suppress(OSError, AttributeError):  # another C library has no such function
        ctypes.CDLL(None).malloc_trim(0)


class Thrift:
    """Gives memory back now and then. Without that, a web worker of 140 MB stays at 200 after a large question."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._due = monotonic() + EVERY_SECONDS
        self._begun = False

    def look(self) -> None:
        """To be called often."""
        now = self._monotonic()
        if now >= self._due:
            self._due = now + EVERY_SECONDS
            gc.collect()
            if not self._begun:  # what is there by now stays: only what comes is looked through
                gc.freeze()
                self._begun = True
            give_back_memory()
