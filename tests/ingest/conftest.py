"""An empty database, a log and a follower on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyweb.db.migrate import migrate
from tests.ingest.following import Following, Writer


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without rows, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "proxyweb.sqlite"
    migrate(path)
    return path


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> Path:
    """A database of the test's own."""
    return Path(shutil.copy(migrated, tmp_path / "proxyweb.sqlite"))


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    (tmp_path / "logs").mkdir()
    writer = Writer(tmp_path / "logs" / "access.log")
    yield writer
    writer.close()


@pytest.fixture
def following(database: Path, writer: Writer) -> Iterator[Following]:
    following = Following(database.parent, writer.path)
    yield following
    following.stop()


@pytest.fixture
def started(following: Following, writer: Writer) -> Following:
    """A follower that has read ten lines."""
    writer.write(10)
    following.turn()
    assert following.exact(writer)
    return following
