"""Seconds of work that a user may ask for in a minute: what costs little is free, and nobody takes all there is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from proxyweb.errors import TooMany

MINUTE = 60.0
MOST_KNOWN = 1000


class Budget:
    """A bucket of seconds for each user, refilled evenly. One worker's; its threads share it."""

    def __init__(self, what: str, seconds_a_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`what` says in a refusal what there was too much of."""
        self._what = what
        self._whole = seconds_a_minute
        self._clock = clock
        self._spent: dict[str, tuple[float, float]] = {}  # seconds that are not refilled yet, and when that was so
        self._lock = Lock()

    @contextmanager
    def spending(self, user: str) -> Iterator[None]:
        """For as long as work is done for `user`, begun while anything is left. Raises TooMany."""
        with self._lock:
            over = self._owed(user) - self._whole
        if over >= 0:
            raise TooMany(f"Too much {self._what} in a minute", max(1, math.ceil(over * MINUTE / self._whole)))
        begun = self._clock()
        try:
            yield
        finally:
            with self._lock:
                if user not in self._spent and len(self._spent) >= MOST_KNOWN:
                    self._spent = {name: spent for name, spent in self._spent.items() if self._owed(name)}
                self._spent[user] = self._owed(user) + self._clock() - begun, self._clock()

    def _owed(self, user: str) -> float:
        spent, then = self._spent.get(user, (0.0, 0.0))
        return max(0.0, spent - (self._clock() - then) * self._whole / MINUTE)
