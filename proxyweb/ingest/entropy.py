"""How evenly a URL's octets are spread: Shannon entropy in thousandths of a bit an octet. A statistic, not a verdict.

In whole numbers throughout, so that whoever counts anew finds the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from proxyweb.ingest.groups import Ints

HIGH = 5500
LONGEST = 65_536  # octets looked at
_SCALE = 1 << 20
_TEXTS_AT_ONCE = 512  # times 256 counts of 8 bytes fit the processor's cache


def entropy_of(text: str) -> int:
    """The entropy of one text's UTF-8, 0 to 8000; of nothing it is 0."""
    octets = _octets(text)
    if not octets:
        return 0
    counts = list(Counter(octets).values())
    logs = _logs()
    return int(1000 * (logs[len(octets)] - logs[counts].sum()) // (_SCALE * len(octets)))


def entropies(texts: Sequence[str]) -> Ints:
    """The entropy of each text."""
    parts = [_of_some(texts[at : at + _TEXTS_AT_ONCE]) for at in range(0, len(texts), _TEXTS_AT_ONCE)]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _of_some(texts: Sequence[str]) -> Ints:
    lengths, octets = _joined(texts)
    values = 256 if octets.max(initial=0) >= 128 else 128
    owners = np.repeat(np.arange(len(texts)) * values, lengths)
    counts = np.bincount(owners + octets, minlength=values * len(texts))
    logs = _logs()
    spread = logs[lengths] - logs[counts].reshape(len(texts), values).sum(axis=1)
    found: Ints = 1000 * spread // (_SCALE * np.maximum(lengths, 1))
    return found


def _joined(texts: Sequence[str]) -> tuple[Ints, NDArray[np.uint8]]:
    """How many octets each text has, and all of these."""
    together = "".join(texts)
    if together.isascii() and len(together) <= LONGEST:
        lengths, octets = map(len, texts), together.encode("ascii")
    else:
        of_each = list(map(_octets, texts))
        lengths, octets = map(len, of_each), b"".join(of_each)
    return np.fromiter(lengths, np.int64, len(texts)), np.frombuffer(octets, np.uint8)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")[:LONGEST]


@cache
def _logs() -> Ints:
    """`n log2 n`, scaled."""
    numbers = np.arange(LONGEST + 1)
    logs: Ints = np.rint(numbers * np.log2(np.maximum(numbers, 1)) * _SCALE).astype(np.int64)
    return logs
