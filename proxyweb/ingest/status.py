"""What the follower says of itself: a small JSON file, written anew every second."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

STALE_SECONDS = 15


@dataclass(frozen=True)
class FollowerStatus:
    """`time` in Unix seconds; `state` is `following`, `waiting` (for a file to appear) or `error`."""

    time: float
    state: str
    error: str | None
    file: str | None
    lag_bytes: int
    lag_seconds: float
    lines_per_second: float

    def alive(self, now: float) -> bool:
        """Whether the follower was there within the last 15 s."""
        return now - self.time <= STALE_SECONDS


def read_status(path: Path) -> FollowerStatus | None:
    """What the follower last wrote; None when there is nothing, or nothing that can be understood."""
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
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
