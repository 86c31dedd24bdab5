"""Times as the API writes them."""

from __future__ import annotations

import time


def written(seconds: float) -> str:
    """`YYYY-MM-DD HH:MM:SS` in UTC for Unix seconds."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
