"""What stands in compressed logs: gzip, bzip2, xz and zstd, one member after another."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import BinaryIO, NamedTuple, Protocol

import zstandard

DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, ValueError)
CUT_SHORT = "the file ends before its content does"


class _Member(Protocol):
    """A decompressor of one member, as those of `bz2` and `lzma` are."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    def __init__(self) -> None:
        self._inflating = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inflating.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflating.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflating.decompress(self._inflating.unconsumed_tail + data, max_length)


class _Zstandard:
    def __init__(self) -> None:
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._ready = io.BytesIO()

    @property
    def eof(self) -> bool:
        return self._frame.eof and self._ready.tell() == len(self._ready.getbuffer())

    @property
    def unused_data(self) -> bytes:
        return self._frame.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if data:
            self._ready = io.BytesIO(self._frame.decompress(data))
        return self._ready.read(max_length)


class _Kind(NamedTuple):
    """`step`: compressed bytes taken at once, few where they may stand for ten thousand times as many, or where a block
    is vouched for. `blocks`: all that was given is vouched for whenever the decompressor wants more."""

    magic: bytes
    member: Callable[[], _Member]
    step: int = 65_536
    blocks: bool = False


_KINDS = {
    "gz": _Kind(b"\x1f\x8b", _Gzip),
    "bz2": _Kind(b"BZh", bz2.BZ2Decompressor, step=4096, blocks=True),
    "xz": _Kind(b"\xfd7zXZ\x00", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ)),
    "zst": _Kind(b"\x28\xb5\x2f\xfd", _Zstandard, step=1024),
}
MAGIC_BYTES = max(len(kind.magic) for kind in _KINDS.values())


def magic_of(kind: str) -> bytes:
    """What a member begins with."""
    return _KINDS[kind].magic


def compression(head: bytes) -> str | None:
    """gz, bz2, xz or zst by a file's first bytes; None for plain text."""
    return next((name for name, kind in _KINDS.items() if head.startswith(kind.magic)), None)


class Decompressed:
    """The content of one member after another; zeros between them are padding. Closing it closes the file.

    `taken` is how much of the file was read for the first `position` bytes of content, of which `vouched_for` were
    confirmed by a checksum; the last member that was begun stands at `member_at` in the file.
    """

    def __init__(self, raw: BinaryIO, kind: str) -> None:
        self._raw = raw
        self._kind = _KINDS[kind]
        self._member: _Member | None = None
        self._compressed = b""
        self._has_more = False  # inside of the decompressor, for which it wants no more input
        self.taken = 0
        self.position = self.vouched_for = self.member_at = 0

    def read(self, size: int) -> bytes:
        """At most `size` bytes, and only at the end none. Raises what is in DAMAGE, having given all before it."""
        while self._member or self._next_member():
            assert self._member
            if not (self._compressed or self._has_more):
                self._compressed = self._take()
                if not self._compressed:
                    raise EOFError(CUT_SHORT)
            taken, self._compressed = self._compressed, b""
            data = self._member.decompress(taken, size)
            self.position += len(data)
            self._has_more = len(data) == size
            if self._member.eof:
                self.vouched_for, self._compressed = self.position, self._member.unused_data
                self._member, self._has_more = None, False
            elif self._kind.blocks and not self._has_more:
                self.vouched_for = self.position
            if data:
                return data
        return b""

    def _next_member(self) -> bool:
        self._compressed = self._compressed.lstrip(b"\0")
        while not self._compressed:
            more = self._take()
            if not more:
                return False
            self._compressed = more.lstrip(b"\0")
        self.member_at = self.taken - len(self._compressed)
        self._member = self._kind.member()
        return True

    def _take(self) -> bytes:
        data = self._raw.read(self._kind.step)
        self.taken += len(data)
        return data

    def close(self) -> None:
        self._raw.close()
