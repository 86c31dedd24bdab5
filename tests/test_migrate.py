"""A new database is the same, whether it is made at once or by every migration in turn."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from proxyweb.db import migrate as migrate_module
from proxyweb.db.connection import connect
from proxyweb.db.migrate import migrate
from tests.ingest.recount import dump


def schema(conn: sqlite3.Connection) -> list[tuple[str, str]]:
    return conn.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()


def test_made_at_once_or_step_by_step(tmp_path: Path) -> None:
    at_once, by_steps = tmp_path / "at_once.sqlite", tmp_path / "by_steps.sqlite"
    migrate(at_once)
    with closing(connect(at_once)) as one, closing(connect(by_steps)) as other:
        migrate_module._upgrade(by_steps, other)
        steps = {name: " ".join(sql.split()) for name, sql in schema(other) if sql and name != "alembic_version"}
        assert steps == {name: " ".join(sql.split()) for name, sql in schema(one) if sql and name != "alembic_version"}
        assert dump(one) == dump(other)


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    migrate(tmp_path / "a.sqlite")
    before = (tmp_path / "a.sqlite").read_bytes()
    migrate(tmp_path / "a.sqlite")
    assert (tmp_path / "a.sqlite").read_bytes() == before
