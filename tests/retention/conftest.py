"""A large log of a test's own, to take rows out of."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from proxyweb.db.connection import connect


@pytest.fixture
def database(large_log: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(large_log, tmp_path / "proxyweb.sqlite"))


@pytest.fixture
def conn(database: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(database)) as opened:
        yield opened
