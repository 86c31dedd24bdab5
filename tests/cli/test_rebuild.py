"""`proxyweb rebuild`: whatever was done to what is derived from the log, afterwards it is the rows' again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from proxyweb.cli import main, rebuild
from proxyweb.db.connection import connect, transaction
from proxyweb.ingest import postings
from proxyweb.ingest.importer import Importer
from proxyweb.ingest.record import WafVerdict
from proxyweb.ingest.rollups import ROLLUPS
from tests.clients import Client
from tests.ingest.factory import Request, log, traffic
from tests.ingest.importing import import_log
from tests.ingest.recount import assert_adds_up, dump, posting_lists

SMALL_SEGMENT_BITS = 8
FULL_SEGMENTS = 4
ROLLUP_TABLES = [rollup.table for rollup in ROLLUPS]
POSTINGS = list(postings.TABLES.values())
DERIVED = [*ROLLUP_TABLES, "log_zones", *POSTINGS]
Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Posting lists for every 256 rows instead of 65,536, and no pauses between transactions."""
    monkeypatch.setattr(postings, "SEGMENT_BITS", SMALL_SEGMENT_BITS)
    monkeypatch.setattr(postings, "SEGMENT_ROWS", 1 << SMALL_SEGMENT_BITS)
    monkeypatch.setattr(rebuild, "PAUSE_SECONDS", 0)


@pytest.fixture
def run(instance: Path) -> Run:
    """Runs `proxyweb` on the test's instance."""

    def command(*words: str, given: str = "") -> Result:
        environment = {"PROXYWEB_INSTANCE": str(instance), "PROXYWEB_ACCESS_LOG": ""}
        return CliRunner().invoke(main, words, input=given, env=environment, prog_name="proxyweb")

    return command


def requests() -> list[Request]:
    """Something of everything that is counted: services, extensions, verdicts, addresses, hours and days."""
    return [
        *traffic(500, step_ms=300_000),
        *_today(traffic(9, url="http://dl.dropbox.com/c.js", waf=WafVerdict(5, "xss", "941100"))),
        *traffic(300, 2000, url="https://www.dropbox.com/a.zip", waf=WafVerdict(9, "sqli", "942100")),
        *traffic(300, 3000, url="http://192.0.2.7/b.js", result_code="TCP_MEM_HIT"),
        *traffic(20, 4000, url="error:invalid-request"),
    ]


def _today(some: list[Request]) -> list[Request]:
    """Requests of this hour, which are counted by hour, too."""
    return [replace(it, time_ms=int(time.time() * 1000)) for it in some]


def feed(instance: Path, name: str, content: list[Request]) -> None:
    import_log(instance, log(*content, log_format="proxyweb"), name)


@pytest.fixture
def database(instance: Path) -> Path:
    """1,129 requests: four full segments and an open one, two zones."""
    feed(instance, "traffic.log", requests())
    return instance / "proxyweb.sqlite"


def state(database: Path) -> dict[str, list[object]]:
    with closing(connect(database)) as conn:
        assert_adds_up(conn)
        tables = dump(conn)
    del tables["counters"]
    return tables


def wrong(result: Result) -> set[str]:
    """The tables that `check` is not content with."""
    return {line.split()[1].rstrip(":") for line in result.output.splitlines() if line.startswith("WRONG")}


def damages(table: str, columns: list[str]) -> list[str]:
    """What can be done to a derived table by hand; `columns` with the key before the rest."""
    first = columns[0]
    if table in ROLLUP_TABLES:
        ones = ", 1" * (len(columns) - 1)
        some = f"{first} = (SELECT max({first}) FROM {table})"
        measures = [name for name in columns[1:] if not name.endswith("_id")]
        return [
            f"DELETE FROM {table}",
            f"DELETE FROM {table} WHERE {some}",
            f"INSERT INTO {table} VALUES (7{ones})",
            f"INSERT INTO {table} VALUES (-7{ones})",
            f"UPDATE {table} SET {first} = {first} - 1000000",
            *(f"UPDATE {table} SET {name} = {name} + 1 WHERE {some}" for name in measures),
        ]
    if table == "log_zones":
        return [
            f"DELETE FROM {table}",
            f"DELETE FROM {table} WHERE zone = 1",
            f"INSERT INTO {table} VALUES (2, 1, 1, 1, 1, 1)",
            f"INSERT INTO {table} VALUES ({1 << 60}, 1, 1, 1, 1, 1)",
            *(f"UPDATE {table} SET {name} = {name} + 1" for name in columns[1:]),
        ]
    some = f"id = (SELECT id FROM {table} LIMIT 1 OFFSET 3)"
    blobs = ", x'0000'" * (len(columns) - 1)
    cuts = ("substr({0}, 3)", "substr({0}, 2)", "CAST({0} || x'0100' AS BLOB)")
    return [
        f"DELETE FROM {table}",
        f"DELETE FROM {table} WHERE {some}",
        f"DELETE FROM {table} WHERE id >> 32 = 2",
        f"INSERT INTO {table} VALUES ({FULL_SEGMENTS << 32 | 1}{blobs})",
        f"INSERT INTO {table} VALUES ({1 << 60}{blobs})",
        f"INSERT INTO {table} VALUES (900000{blobs})",
        *(f"UPDATE {table} SET {name} = {cut.format(name)} WHERE {some}" for name in columns[1:] for cut in cuts),
    ]


def test_whatever_was_done_to_it(run: Run, database: Path) -> None:
    """Every kind of damage to every table; a round damages each table in another way."""
    sound = state(database)
    with closing(connect(database)) as conn:
        columns = {table: [row[1] for row in conn.execute(f"PRAGMA table_info({table})")] for table in DERIVED}
    rounds = list(zip_longest(*(damages(table, columns[table]) for table in DERIVED)))
    assert len(rounds) > 10
    for statements in rounds:
        with closing(connect(database)) as conn:
            for statement in filter(None, statements):
                assert conn.execute(statement).rowcount > 0, statement
        damaged = run("check")
        expected = {table for table, statement in zip(DERIVED, statements, strict=True) if statement}
        assert (damaged.exit_code, wrong(damaged)) == (1, expected), statements
        made = run("rebuild", "--yes")
        assert made.exit_code == 0, made.output
        checked = run("check")
        assert checked.exit_code == 0, (statements, checked.output)
        assert state(database) == sound, statements


def test_everything_at_once(run: Run, database: Path, viewer: Client) -> None:
    sound = state(database)
    before = viewer.get("/api/logs/stats").json["data"]
    with closing(connect(database)) as conn:
        for table in DERIVED:
            conn.execute(f"DELETE FROM {table}")
        conn.execute("UPDATE counters SET value = value + 1 WHERE name = 'logs'")
    assert wrong(run("check")) == set(DERIVED)
    assert viewer.get("/api/logs/stats").json["data"]["total_count"] == 0
    result = run("rebuild", "--yes")
    said = result.output.splitlines()
    assert [line.partition(" (")[0] for line in said[:-1]] == [*ROLLUP_TABLES, "log_zones", ", ".join(POSTINGS)]
    assert all(line.endswith(" s)") for line in said[:-1])
    assert said[-1] == "All is made anew; 'proxyweb check' compares it with the rows."
    assert run("check").exit_code == 0
    assert state(database) == sound
    assert viewer.get("/api/logs/stats").json["data"] == before, "what was remembered is asked anew"


def test_what_is_sound_stays_as_it_is(run: Run, database: Path, instance: Path) -> None:
    sound = state(database)
    assert run("rebuild", "--yes").exit_code == 0
    assert state(database) == sound
    feed(instance, "more.log", traffic(100, 9000))
    assert state(database) != sound
    assert run("check").exit_code == 0


def test_an_empty_log(run: Run, instance: Path) -> None:
    with closing(connect(instance / "proxyweb.sqlite")) as conn:
        conn.execute("INSERT INTO kind_postings VALUES (1, x'0000')")
        conn.execute("INSERT INTO log_zones VALUES (0, 1, 1, 1, 1, 1)")
    assert wrong(run("check")) == {"kind_postings", "log_zones"}
    assert run("rebuild", "--yes").exit_code == 0
    assert run("check").exit_code == 0


def test_after_a_part_was_cleared(run: Run, database: Path) -> None:
    """Ids don't begin with 1, and segments without rows have no lists."""
    with closing(connect(database)) as conn:
        conn.execute("DELETE FROM proxy_logs WHERE id < 300")
        assert run("rebuild", "--yes").exit_code == 0
        assert {segment for _, segment, _ in posting_lists(conn)} == set(range(1, FULL_SEGMENTS))
    state(database)
    assert run("check").exit_code == 0


def test_rows_that_arrive_meanwhile(run: Run, database: Path, instance: Path) -> None:
    """Another process stores on, a little at a time; what it remembers of the log stays true."""
    path, ended = instance / "growing.log", threading.Event()
    stored = 0

    def grow() -> None:
        nonlocal stored
        with closing(connect(database)) as conn:
            importer = Importer(conn, parallel=False)
            while not ended.is_set() or not stored:
                with path.open("ab") as file:
                    file.write(log(*traffic(40, 10_000 + stored), log_format="proxyweb"))
                stored += importer.import_file(path).rows
                time.sleep(0.002)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        result = run("rebuild", "--yes")
    finally:
        ended.set()
        writer.join()
    assert result.exit_code == 0, result.output
    assert stored
    state(database)
    assert run("check").exit_code == 0


def test_it_asks_before(run: Run, database: Path) -> None:
    with closing(connect(database)) as conn:
        conn.execute("DELETE FROM hourly_requests")
        declined = run("rebuild", given="n\n")
        assert declined.exit_code == 1
        assert conn.execute("SELECT count(*) FROM hourly_requests").fetchone() == (0,)
        assert run("rebuild", given="y\n").exit_code == 0
        assert conn.execute("SELECT count(*) FROM hourly_requests").fetchone() != (0,)


def test_a_log_that_someone_else_writes_to_for_long(run: Run, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxyweb.db.connection.BUSY_SECONDS", 0.05)
    with closing(connect(database)) as other, transaction(other):
        result = run("rebuild", "--yes")
    assert result.exit_code == 1
    assert result.output.startswith("proxyweb: ")
    assert run("check").exit_code == 0
