"""Squid's configuration as it reads it: one directive after another, through every `include`."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

DEEPEST = 16  # as Squid has it


class Directive(NamedTuple):
    """A directive's words, and where it stands."""

    words: tuple[str, ...]
    file: Path
    line: int

    @property
    def place(self) -> str:
        return f"{self.file} line {self.line} ({' '.join(self.words)})"


@dataclass
class Configuration:
    """Directives in the order in which Squid comes by them; of `if`, both branches."""

    directives: list[Directive] = field(default_factory=list)
    files: dict[Path, str] = field(default_factory=dict)
    """The text of every file, in the order in which they begin."""
    unread: list[str] = field(default_factory=list)
    """A sentence for each file that could not be read."""

    def of(self, name: str) -> Iterator[Directive]:
        return (directive for directive in self.directives if directive.words[0] == name)


def read(main: Path) -> Configuration:
    """The configuration that begins in `main`. Raises nothing: what can't be read is said in `unread`."""
    found = Configuration()
    _read(main, found, 0)
    return found


def _read(path: Path, found: Configuration, depth: int) -> None:
    if depth > DEEPEST:
        found.unread.append(f"{path} is included too deeply.")
        return
    try:
        text = path.read_text("utf-8", "surrogateescape")
    except OSError as error:
        found.unread.append(f"{path} can't be read: {error.strerror}.")
        return
    found.files[path] = text
    for number, words in _lines(text):
        if words[0] != "include":
            found.directives.append(Directive(words, path, number))
            continue
        for pattern in words[1:]:
            for included in _included(pattern, found):
                _read(included, found, depth + 1)


def _lines(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The words of each directive, and the number of its line; a backslash at a line's end continues it."""
    begun, kept = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        begun = begun or number
        if line.endswith("\\"):
            kept += line[:-1]
            continue
        words = _words(kept + line)
        if words:
            yield begun, words
        begun, kept = 0, ""


def _words(line: str) -> tuple[str, ...]:
    """What blanks separate, up to a comment. A word in quotes may hold blanks."""
    words: list[str] = []
    rest = line.strip()
    while rest and not rest.startswith("#"):
        if rest.startswith('"') and (end := rest.find('"', 1)) > 0:
            word, rest = rest[1:end], rest[end + 1 :]
        else:
            word, *more = rest.split(None, 1)
            rest = "".join(more)
        words.append(word)
        rest = rest.lstrip()
    return tuple(words)


def _included(pattern: str, found: Configuration) -> list[Path]:
    if not pattern.startswith("/"):
        found.unread.append(f"{pattern} is included by a relative path: where it is depends on how Squid was started.")
        return []
    paths = sorted(map(Path, glob.glob(pattern)))  # noqa: PTH207 - an absolute pattern
    if not paths and not glob.has_magic(pattern):
        found.unread.append(f"{pattern} is included, but isn't there.")
    return paths
