"""What the follower says of itself: a small JSON file, written anew every second.

It is written in place and always of one size, so that it can be written when the disk is full, which is when it is
needed most.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

STALE_SECONDS = 15
FILE_BYTES = 4096
LONGEST_TEXT = 300  # characters, of which each takes six bytes at most
READS = 3

log = logging.getLogger("proxyweb.follower")


@dataclass(frozen=True)
class FollowerStatus:
    """`time` in Unix seconds; `state` is `following`, `waiting` (for a file to appear) or `error`, which is that the
    disk is `full`, or something else."""

    time: float
    state: str
    error: str | None
    file: str | None
    lag_bytes: int
    lag_seconds: float
    lines_per_second: float
    full: bool = False

    def alive(self, now: float) -> bool:
        """Whether the follower was there within the last 15 s."""
        return now - self.time <= STALE_SECONDS


class StatusFile:
    """Where the follower writes its status. That it can't be written never stops the follower."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._failed = False

    def write(self, status: FollowerStatus) -> None:
        """Replace what the file says. Texts are cut to fit."""
        cut = replace(status, error=_cut(status.error), file=_cut(status.file))
        text = json.dumps({"pid": os.getpid(), **asdict(cut)}, ensure_ascii=False)
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.pwrite(self._descriptor, text.encode("utf-8", "replace").ljust(FILE_BYTES - 1) + b"\n", 0)
        except OSError as error:
            if not self._failed:
                log.error("%s can't be written: %s", self.path, error.strerror)
            self._failed = True
            self.close()
        else:
            self._failed = False

    def close(self) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = None


def _cut(text: str | None) -> str | None:
    """Its end, where file names differ."""
    return text if text is None or len(text) <= LONGEST_TEXT else f"…{text[1 - LONGEST_TEXT :]}"


def read_status(path: Path) -> FollowerStatus | None:
    """What the follower last wrote; None when there is nothing, or nothing that can be understood."""
    for _ in range(READS):  # it may be read while it is written
        if status := _read(path):
            return status
    return None


def _read(path: Path) -> FollowerStatus | None:
    try:
        said = json.loads(path.read_bytes())
        return FollowerStatus(
            time=float(said["time"]),
            state=str(said["state"]),
            error=None if said["error"] is None else str(said["error"]),
            file=None if said["file"] is None else str(said["file"]),
            lag_bytes=int(said["lag_bytes"]),
            lag_seconds=float(said["lag_seconds"]),
            lines_per_second=float(said["lines_per_second"]),
            full=bool(said.get("full", False)),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
