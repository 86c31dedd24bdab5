"""What the faults meet: a log that is written, and `proxyweb follow` on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import Follow
from tests.ingest.following import Writer


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    (tmp_path / "logs").mkdir()
    writer = Writer(tmp_path / "logs" / "access.log")
    writer.write(1)
    yield writer
    writer.close()


@pytest.fixture
def follow(instance: Path, writer: Writer) -> Iterator[Follow]:
    """A follower that has read the first line."""
    with Follow(instance, writer.path) as follow:
        follow.wait(lambda: follow.count() == 1, 30)
        yield follow
