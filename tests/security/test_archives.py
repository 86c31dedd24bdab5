"""Archives that unpack to a thousand times their size take time in proportion, and no memory."""

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
MOST_MEMORY = 300 * MEGABYTE  # of address space, of which an import takes 180
LINES = log(*traffic(5))
PACKERS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstandard.compress}


@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_is_one_line_that_is_none(instance: Path, tmp_path: Path, kind: str) -> None:
    """And what stands around it is read."""
    path = tmp_path / f"access.log.{kind}"
    path.write_bytes(PACKERS[kind](LINES + b"x" * UNPACKED + b"\n" + LINES.replace(b"/200 ", b"/201 ")))
    assert path.stat().st_size < UNPACKED / 100
    done = subprocess.run(
        [sys.executable, "-m", "proxyweb", "import", path], env=environment(instance, Path("/nowhere/access.log")),
        capture_output=True, text=True, timeout=30, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Imported 10 requests" in done.stdout
    assert "Rejected 1 line" in done.stdout
