"""Measures of a request packed into one integer, so that one sum by key is the sum of every measure by key.

Requests, blocked requests, bytes to the client and bytes from it lie side by side, each in a field that no transaction
can overflow: a request has at most 2^43 bytes, and fewer than 2^21 requests are summed before they are stored.
"""

from __future__ import annotations

from collections.abc import Callable

REQUEST = 1
BLOCKED = 1 << 32
BYTES_BITS = 64
BYTES_IN_BITS = 128
_COUNT = (1 << 32) - 1
_SIZE = (1 << 64) - 1


def requests(weight: int) -> int:
    return weight & _COUNT


def blocked(weight: int) -> int:
    return weight >> 32 & _COUNT


def bytes_out(weight: int) -> int:
    return weight >> BYTES_BITS & _SIZE


def bytes_in(weight: int) -> int:
    return weight >> BYTES_IN_BITS


UNPACKED: dict[tuple[str, ...], Callable[[int], tuple[int, ...]]] = {
    ("requests",): lambda weight: (weight & _COUNT,),
    ("requests", "bytes"): lambda weight: (weight & _COUNT, weight >> BYTES_BITS & _SIZE),
    ("requests", "blocked"): lambda weight: (weight & _COUNT, weight >> 32 & _COUNT),
    ("requests", "blocked", "bytes"): lambda weight: (
        weight & _COUNT, weight >> 32 & _COUNT, weight >> BYTES_BITS & _SIZE,
    ),
    ("requests", "blocked", "bytes", "bytes_in"): lambda weight: (
        weight & _COUNT, weight >> 32 & _COUNT, weight >> BYTES_BITS & _SIZE, weight >> BYTES_IN_BITS,
    ),
}  # fmt: skip
"""Several measures of a weight in one call, since a rollup's row takes no longer than that to store."""
