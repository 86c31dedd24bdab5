"""Many patterns in one pass, by hyperscan: linear in the text, whatever the patterns.

Compiling takes seconds, so the compiled database is kept in a file. It is known by a hash of the patterns and of
hyperscan's version; one that is damaged, old or another machine's is made anew.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from proxyweb.errors import ConfigError

try:
    import hyperscan
    from hyperscan._version import __version__ as version
except ImportError as error:  # everything else of proxyweb does without
    raise ConfigError("The WAF needs hyperscan, which PyPI has ready-made for x86-64 processors only.") from error

Pattern = tuple[str, bool]
_DIGEST = 32
_NEVER = r"\xff\xfe"  # hyperscan takes no empty list; these are no UTF-8


class Patterns:
    """Patterns that are looked for at once; each is known by its place. Not for two threads at a time."""

    def __init__(
        self, patterns: Sequence[Pattern], file: Path | None = None, lines: bool = False, every: bool = False
    ) -> None:
        """`patterns` are texts in hyperscan's dialect, each with whether case matters. With `lines`, `^` and `$` hold
        at the ends of lines as well; with `every`, `matches` finds every one. Raises ConfigError."""
        patterns = patterns or [(_NEVER, True)]
        key = hashlib.sha256(repr((version, patterns, lines, every)).encode()).digest()
        database = _kept(file, key)
        if database is None:
            mode = (hyperscan.HS_FLAG_MULTILINE if lines else 0) | (0 if every else hyperscan.HS_FLAG_SINGLEMATCH)
            database = _compiled(patterns, mode)
            _keep(file, key, database)
        database.scratch = hyperscan.Scratch(database)
        self._scan = database.scan

    def found(self, text: str) -> list[int]:
        """The places of the patterns that are in `text`, in the order of where they end. Offsets are in UTF-8."""
        places: list[int] = []
        self._scan(text.encode("utf-8", "replace"), _add, context=places)
        return places

    def matches(self, lines: bytes) -> list[tuple[int, int]]:
        """Every match: the place of its pattern, and where its last octet is, be it in a later line than its first."""
        found: list[tuple[int, int]] = []
        self._scan(lines, _add_match, context=found)
        return found


def _add_match(place: int, start: int, end: int, flags: int, found: Any) -> None:
    found.append((place, end - 1))


def _add(place: int, start: int, end: int, flags: int, places: Any) -> None:
    places.append(place)


def _compiled(patterns: Sequence[Pattern], mode: int) -> hyperscan.Database:
    flags = [mode if cased else mode | hyperscan.HS_FLAG_CASELESS for _, cased in patterns]
    expressions = [text.encode() for text, _ in patterns]
    database = hyperscan.Database()
    try:
        database.compile(expressions=expressions, ids=list(range(len(expressions))), flags=flags)
    except hyperscan.error as error:
        raise ConfigError(f"The pattern {_culprit(expressions, flags)!r} can't be compiled: {error}.") from error
    return database


def _culprit(expressions: Sequence[bytes], flags: Sequence[int]) -> str:
    for expression, flag in zip(expressions, flags, strict=True):
        try:
            hyperscan.Database().compile(expressions=[expression], ids=[0], flags=[flag])
        except hyperscan.error:
            return expression.decode()
    return ""


def _kept(file: Path | None, key: bytes) -> hyperscan.Database | None:
    """What the file holds for `key`: the hash of the rest, then the database."""
    if file is None:
        return None
    try:
        content = file.read_bytes()
        if hashlib.sha256(key + content[_DIGEST:]).digest() != content[:_DIGEST]:
            return None
        return hyperscan.loadb(content[_DIGEST:], hyperscan.HS_MODE_BLOCK)
    except (OSError, hyperscan.error):
        return None


def _keep(file: Path | None, key: bytes, database: hyperscan.Database) -> None:
    """Put it into the file. Where that can't be written, every start compiles."""
    if file is None:
        return
    blob = hyperscan.dumpb(database)
    unfinished = file.with_suffix(f".{os.getpid()}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as written:
            written.write(hashlib.sha256(key + blob).digest() + blob)
        unfinished.replace(file)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
