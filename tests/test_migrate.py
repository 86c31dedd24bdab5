"""A new database is the same, whether it is made at once or by every migration in turn."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from proxyweb.db import migrate as migrate_module
from proxyweb.db.connection import connect
from proxyweb.db.migrate import migrate
from proxyweb.ingest import rollups
from tests.counted_hours import count_hours
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


def test_durations_of_an_older_log_are_added_up(tmp_path: Path, large_log: Path) -> None:
    """By day and by hour; what is recent as well, which a database kept as a file for long has none of."""
    database = Path(shutil.copy(large_log, tmp_path / "proxyweb.sqlite"))
    with closing(connect(database)) as conn:
        count_hours(conn)
        before = dump(conn)
        assert sum(row[-1] for row in conn.execute("SELECT elapsed_ms FROM hourly_hosts")) > 0
        for rollup in rollups.ROLLUPS:
            if rollups.ELAPSED in rollup.measures:
                conn.execute(f"ALTER TABLE {rollup.table} DROP COLUMN elapsed_ms")
        conn.execute("UPDATE alembic_version SET version_num = '0002'")
    migrate(database)
    with closing(connect(database)) as conn:
        assert dump(conn) == before
        assert rollups.differences(conn) == []
