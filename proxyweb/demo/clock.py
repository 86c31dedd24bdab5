"""When requests end: days and nights, working days and weekends, and Squid's small steps back."""

import time
from collections.abc import Callable, Iterator
from random import Random

from proxyweb.demo.apportion import apportion, pool

HOUR_MS = 3_600_000
HOUR_OF_DAY = (4, 3, 2, 2, 2, 4, 10, 28, 62, 85, 92, 90, 74, 82, 90, 88, 78, 60, 38, 28, 24, 20, 13, 7)
"""Relative activity by hour (UTC)."""

WEEKEND = 0.4
SATURDAY = 5

# Squid logs when a request is complete and reads its clock once an event loop: most lines are in order, a few are late.
LATENESS_MS = pool(
    (*[0] * 16, *range(1, 1000, 37), *range(1000, 2001, 100)), (*[5.5] * 16, *[0.4] * 27, *[0.1] * 11), 4096
)


def activity(start: int) -> float:
    """How busy the hour is that begins at `start`."""
    moment = time.gmtime(start)
    return HOUR_OF_DAY[moment.tm_hour] * (WEEKEND if moment.tm_wday >= SATURDAY else 1.0)


def hours(lines: int, days: int, end: int, activity: Callable[[int], float] = activity) -> Iterator[tuple[int, int]]:
    """Share `lines` out over the `days` days before `end` (Unix seconds): each hour's start in ms, and its lines."""
    starts = range(end - days * 86_400, end, 3600)
    yield from (
        (start * 1000, count)
        for start, count in zip(starts, apportion(lines, [activity(s) for s in starts]), strict=True)
    )


def completion_times(rng: Random, start: int, count: int) -> list[int]:
    """`count` times within the hour from `start` (ms): in order, but for a few up to two seconds early."""
    ordered = sorted(rng.choices(range(start, start + HOUR_MS), k=count))
    return [moment - late for moment, late in zip(ordered, rng.choices(LATENESS_MS, k=count), strict=True)]
