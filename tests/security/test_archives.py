"""Archives that unpack to a thousand times their size take no memory, and little time and disk."""

from __future__ import annotations

import gzip
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.e2e.program import environment
from tests.ingest.factory import log, traffic

MEGABYTE = 1_000_000
UNPACKED = 60 * MEGABYTE
TOO_MUCH = 300 * MEGABYTE
MOST_MEMORY = 300 * MEGABYTE  # of address space, of which an import takes 180
LINES = log(*traffic(5))
PACKERS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstandard.compress}


def imported(instance: Path, path: Path) -> subprocess.CompletedProcess[str]:
    """An import that gets no more memory than that, and half a minute."""
    return subprocess.run(
        [sys.executable, "-m", "proxyweb", "import", path], env=environment(instance, Path("/nowhere/access.log")),
        capture_output=True, text=True, timeout=30, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY)),
    )  # fmt: skip


@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_is_one_line_that_is_none(instance: Path, tmp_path: Path, kind: str) -> None:
    """And what stands around it is read."""
    path = tmp_path / f"access.log.{kind}"
    path.write_bytes(PACKERS[kind](LINES + b"x" * UNPACKED + b"\n" + LINES.replace(b"/200 ", b"/201 ")))
    assert path.stat().st_size < UNPACKED / 100
    done = imported(instance, path)
    assert done.returncode == 0, done.stderr
    assert "Imported 10 requests" in done.stdout
    assert "Rejected 1 line" in done.stdout


@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_of_good_lines_is_refused(instance: Path, tmp_path: Path, kind: str) -> None:
    """Where it unpacks to more than any log. Nothing of it is taken, and other files are."""
    path, other = tmp_path / f"bomb.log.{kind}", tmp_path / f"access.log.{kind}"
    path.write_bytes(PACKERS[kind](LINES * (TOO_MUCH // len(LINES))))
    other.write_bytes(PACKERS[kind](LINES.replace(b"/200 ", b"/201 ")))
    done = imported(instance, path)
    assert done.returncode == 1
    assert "Imported 0 requests" in done.stdout
    assert f"{path} is damaged after 0 bytes of content: it unpacks to more than 100 times its size" in done.stdout
    assert "Imported 5 requests" in imported(instance, other).stdout
