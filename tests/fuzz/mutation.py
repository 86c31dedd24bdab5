"""Inputs by the hundred: what is real, changed here and there. The same seed gives the same ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

from hypothesis import settings
from hypothesis import strategies as st

from tests.faults.checking import SOAK

BATCH = 100
GIVEN: Counter[str] = Counter()  # to the test that runs
SEEDS = st.integers(0, 2**64 - 1)
ODD = (
    b"", b" ", b"-", b"\0", b"\r", b"\t", b"\x1b[2J", b"%", b"%0", b"%00", b"%25", b"%u0027", b"%c0%af",
    b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"&#x110000;", b"&#39;",
    b"\\u0000", b"\\x", b"'", b'"', b"[", b"]", b"(", b"{", b"::", b"//", b"http://", b"://", b"@", b"?", b"#",
    b"..", b"0", b"-1", b"1e999", b"nan", b"1.", b"9" * 30, b"99999999999.999", b"2147483648.000",
    b"TCP_DENIED/403", b"/", b"NONE", b"CONNECT", b"pw1", b"A" * 300, b" OR 1=1--", b"<script>", b"${jndi:",
    b"%2e%2e%2f", b"=", b"+", b",", b";", b"\\", b"\xe2\x80\xae",
)  # fmt: skip


def budget(usually: int, in_soak: int) -> settings:
    """So many examples, the same ones each time but in a soak."""
    return settings(max_examples=in_soak if SOAK else usually, derandomize=not SOAK, database=None, deadline=None)


def mutated(choose: Random, corpus: Sequence[bytes], most: int = 4) -> bytes:
    """One of `corpus` with up to `most` changes, or none."""
    data = bytearray(choose.choice(corpus))
    for _ in range(choose.randrange(most + 1)):
        at, end = sorted((choose.randrange(len(data) + 1), choose.randrange(len(data) + 1)))
        match choose.randrange(7):
            case 0:
                data[at:at] = choose.choice(ODD)
            case 1:
                del data[at : min(end, at + 40)]
            case 2:
                data[at:at] = data[at : min(end, at + 40)] * choose.randrange(1, 4)
            case 3:
                other = choose.choice(corpus)
                data[at:] = other[choose.randrange(len(other) + 1) :]
            case 4 if data:
                data[at % len(data)] ^= 1 << choose.randrange(8)
            case 5:
                data[at:at] = choose.randbytes(choose.randrange(1, 9))
            case _:
                fields = bytes(data).split(b" ")
                fields[choose.randrange(len(fields))] = choose.choice(ODD)
                data = bytearray(b" ".join(fields))
    return bytes(data)


def batch(seed: int, corpus: Sequence[bytes]) -> list[bytes]:
    """A hundred of them."""
    choose = Random(seed)
    GIVEN["inputs"] += BATCH
    return [mutated(choose, corpus) for _ in range(BATCH)]
