"""The running Squid: since when it is there, and when it last read its configuration.

Its cache manager would say more, but denies it to everyone by default, and its requests end up in the log. So this goes
by the process (`/proc`), and by what Squid writes into its `cache.log` when it reads its configuration.
"""

from __future__ import annotations

import gzip
import os
import re
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

_CONFIGURED = re.compile(
    rb"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)(?: kid\d+)?\| (?:Starting Squid Cache version|Reconfiguring Squid Cache) "
)


def process_id(pid_file: Path) -> int | None:
    """The number in Squid's `pid_filename`, if a Squid has it. Raises OSError where that can't be seen."""
    try:
        text = pid_file.read_text("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    if not text.isdigit():
        return None
    try:
        os.kill(int(text), 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:  # it is there, and another user's
        pass
    return int(text) if "squid" in Path(f"/proc/{text}/comm").read_text("utf-8", "replace") else None


def started_at(pid: int) -> float:
    """When a process started, in Unix seconds. Raises OSError when it has ended."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    ticks = int(fields[19])  # `starttime`, the 22nd
    boot = re.search(r"^btime (\d+)$", Path("/proc/stat").read_text("ascii"), re.MULTILINE)
    assert boot, "Linux always says when it was started"
    return int(boot[1]) + ticks / os.sysconf("SC_CLK_TCK")


def configuration_of(pid: int) -> str | None:
    """What a running Squid was given with `-f`. Raises OSError when it has ended."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "surrogateescape").split("\0")
    for word, following in pairwise(words):
        if re.fullmatch(r"-[A-Za-z]*f", word):
            return following
        if word.startswith("-f"):
            return word[2:]
    return None


def configured_at(cache_logs: Iterable[Path]) -> float | None:
    """When Squid last said in one of these that it reads its configuration, in Unix seconds (whole ones).

    Squid writes its local time. Raises OSError when a log can't be read.
    """
    latest = b""
    for path in cache_logs:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            for line in lines:
                if match := _CONFIGURED.match(line):
                    latest = max(latest, match[1])
    return time.mktime(time.strptime(latest.decode(), "%Y/%m/%d %H:%M:%S")) if latest else None


def logs_since(cache_log: Path, moment: float) -> list[Path]:
    """A `cache.log` and what it was rotated to, as far as written to since `moment`.

    Raises OSError when there is none, or the folder can't be read.
    """
    cache_log.stat()
    kept = [Path(entry) for entry in os.scandir(cache_log.parent) if _is_rotated(entry.name, cache_log.name)]
    return [path for path in kept if path.stat().st_mtime >= moment]


def _is_rotated(name: str, of: str) -> bool:
    return re.fullmatch(r"(?:\.\d+)?(?:\.gz)?", name.removeprefix(of)) is not None
