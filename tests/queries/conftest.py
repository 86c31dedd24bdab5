"""The large log, to read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from proxyweb.db.connection import connect


@pytest.fixture
def conn(large_log: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(large_log, readonly=True)) as opened:
        yield opened
