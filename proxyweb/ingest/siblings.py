"""The files beside a followed one that rotation made of it."""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("proxyweb.follower")

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


@dataclass(frozen=True)
class Sibling:
    """A file beside the followed one, by its name; `identity` is device and inode."""

    path: Path
    identity: tuple[int, int]
    size: int
    mtime_ns: int


def siblings(path: Path, followed: Sequence[Path]) -> list[Sibling]:
    """What rotation may have made of a followed file: its name with `.…` or `-…` behind it; latest first.

    Of a link, also what stands beside the file that it leads to. Other followed files and theirs are left out, and
    compressed ones beside the file they are being made of.
    """
    found: dict[tuple[int, int], Sibling] = {}
    for name in {path, Path(os.path.realpath(path))}:
        others = [other.name for other in followed if other not in (path, name) and other.parent == name.parent]
        for sibling in _beside(name, others):
            found[sibling.identity] = sibling
    listed = sorted(found.values(), key=lambda sibling: sibling.path, reverse=True)  # dates: the later the newer
    listed.sort(key=lambda sibling: _number(sibling.path.name))
    listed.sort(key=lambda sibling: sibling.mtime_ns, reverse=True)
    return listed


def _beside(path: Path, others: list[str]) -> Iterator[Sibling]:
    try:
        with os.scandir(path.parent) as entries:
            names = {entry.name: entry for entry in entries if _made_of(path.name, entry.name)}
    except OSError as error:
        log.error("%s can't be read, so files rotated there may be missed: %s", path.parent, error.strerror)
        return
    for name, entry in names.items():
        if any(name == other or _made_of(other, name) for other in others if _made_of(path.name, other)):
            continue
        plain = name.removesuffix(next(filter(name.endswith, _COMPRESSED), ""))
        if plain != name and (plain in names or plain == path.name):
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISREG(status.st_mode) and status.st_size:
            identity = status.st_dev, status.st_ino
            yield Sibling(path.parent / name, identity, status.st_size, status.st_mtime_ns)


def _made_of(name: str, other: str) -> bool:
    return other.startswith((f"{name}.", f"{name}-"))


def _number(name: str) -> int:
    """Of `access.log.1` or `access.log.2.gz`, where the lower is the newer; 0 for all other names."""
    match = re.search(r"\.(\d{1,5})(\.\w+)?$", name)
    return int(match[1]) if match else 0
