"""How much of an archive may be believed, found out before anything of it is stored.

Checksums stand behind what they vouch for: behind a whole member in gzip, a stream in xz, a frame in zstd, and behind
each block of at most 900 kB in bzip2. Before that, content that one flipped bit has changed looks like any other.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, cast

from proxyweb.ingest.compressed import CUT_SHORT, DAMAGE, Decompressed, magic_of

_EXAMINED_BYTES = 262_144
_TRIED_BYTES = 65_536
_DOUBTED_BYTES = 256
MOST_TIMES = 100  # logs are packed to a tenth, those of a single probe to a fortieth; one line over and over to a 200th
FREE_BYTES = 256_000_000  # of content, up to which an archive may be as dense as it likes
TOO_DENSE = (
    f"it unpacks to more than {MOST_TIMES} times its size, as no log does, and nothing of it is taken; unpack it first"
    " if it is one nevertheless"
)


@dataclass(frozen=True, slots=True)
class Examined:
    """How many bytes of an archive's content may be believed, and what is wrong behind them, if anything is."""

    size: int
    damage: str = ""

    def told(self) -> str:
        """What is wrong, in words; nothing when nothing is."""
        return self.damage and f"damaged after {self.size} bytes of content: {self.damage}"


def examine(raw: BinaryIO, kind: str) -> Examined:
    """Read an archive that can be sought in to its end or to damage, and leave it where it stood.

    Of a file that was cut short, almost all that it gives is believed; what no checksum has confirmed before other
    damage may have been changed by it, and is not. Nothing is believed of what unpacks beyond all measure.
    """
    stood = raw.tell()
    try:
        return _examined(raw, kind)
    finally:
        raw.seek(stood)


def _examined(raw: BinaryIO, kind: str) -> Examined:
    raw.seek(0)
    content = Decompressed(raw, kind)
    damage = _read_through(content)
    if damage == TOO_DENSE:
        return Examined(0, damage)
    believed = content.vouched_for
    if damage == CUT_SHORT and not _member_begins(raw, kind, content.member_at + 1):
        raw.seek(0)
        shorter = Decompressed(cast(BinaryIO, _WithoutEnd(raw)), kind)
        _read_through(shorter)
        believed = max(believed, shorter.position)
    left_out = content.position - believed
    if damage and left_out:
        damage = f"{damage}; {left_out:,} bytes before that are left out, as no checksum confirms them"
    return Examined(believed, damage)


def _read_through(content: Decompressed) -> str:
    """Read to the end, and say what is wrong there."""
    try:
        while content.read(_EXAMINED_BYTES):
            if content.position > max(FREE_BYTES, content.taken * MOST_TIMES):
                return TOO_DENSE
    except DAMAGE as error:
        return str(error)
    return ""


def _member_begins(raw: BinaryIO, kind: str, position: int) -> bool:
    """Whether another member begins behind `position`: then the one before it has lost its end to a changed bit."""
    magic = magic_of(kind)
    raw.seek(position)
    held = b""
    while data := raw.read(_EXAMINED_BYTES):
        held += data
        at = -1
        while (at := held.find(magic, at + 1)) >= 0:
            tried = position + at
            resumed = raw.tell()
            raw.seek(tried)
            if _gives_content(raw, kind):
                return True
            raw.seek(resumed)
        kept = held[1 - len(magic) :]
        position, held = position + len(held) - len(kept), kept
    return False


def _gives_content(raw: BinaryIO, kind: str) -> bool:
    content, given = Decompressed(raw, kind), 0
    try:
        while given < _TRIED_BYTES and (data := content.read(_TRIED_BYTES)):
            given += len(data)
    except EOFError:
        pass
    except DAMAGE:
        return False
    return given > 0


class _WithoutEnd:
    """A file without the last bytes: where a changed bit takes a member's end away, what stands behind it is read as
    content. In 700,000 gzip members with a changed bit, that began within the last 147 bytes."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._left = raw.seek(0, os.SEEK_END) - _DOUBTED_BYTES
        raw.seek(0)

    def read(self, size: int) -> bytes:
        data = self._raw.read(min(size, self._left)) if self._left > 0 else b""
        self._left -= len(data)
        return data


class Believed:
    """The content of an archive as far as it may be believed, from `position` on, where `content` stands; then the
    damage is raised as EOFError. Closing it closes the file.

    `examined` is asked when it comes to that: the first `unexamined` bytes are given as they are.
    """

    def __init__(
        self, content: BinaryIO, examined: Callable[[], Examined], position: int = 0, unexamined: int = 0
    ) -> None:
        self._content = content
        self._examined = examined
        self._position = position
        self._unexamined = unexamined

    def read(self, size: int) -> bytes:
        left = self._unexamined - self._position
        if left <= 0:
            examined = self._examined()
            left = max(examined.size - self._position, 0)
            if not left and examined.damage:
                raise EOFError(examined.damage)
        data = self._content.read(min(size, left)) if left else b""
        self._position += len(data)
        return data

    def close(self) -> None:
        self._content.close()
