"""Databases of older versions are brought up to date with all that is in them, and newer ones are left alone."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import requests

from proxyweb import audit_chain
from proxyweb.api.context import core_of
from proxyweb.app import create_app
from proxyweb.db.connection import connect
from proxyweb.db.migrate import current_version
from proxyweb.db.migrations import known_versions
from proxyweb.db.soundness import refuse_unsound
from proxyweb.ingest.importer import Importer
from proxyweb.ingest.squid import parse_line
from proxyweb.start import prepare
from tests import next_version
from tests.clients import basic, signed_in
from tests.conftest import configuration
from tests.data import make_database as made
from tests.e2e.server import Server
from tests.ingest.recount import assert_adds_up, records
from tests.next_version import NEWEST, NEXT, PROGRAM
from tests.test_supervisor import wait_for

LINES = [line for name in made.LOGS for line in (made.HERE / name).read_bytes().splitlines()] + [made.ODD[2].strip()]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version of the program that comes after this one."""
    return next_version.make(tmp_path_factory.mktemp("program"))


KEPT = sorted(path.stem for path in made.FOLDER.glob("*.sql"))


@pytest.fixture(params=KEPT)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An instance as a version with an older schema left it."""
    instance = tmp_path / "instance"
    instance.mkdir()
    (instance / "secret.key").write_bytes(made.SECRET)
    with closing(connect(instance / "proxyweb.sqlite")) as conn:
        conn.execute("PRAGMA foreign_keys = OFF")  # tables are in the order of their names
        conn.executescript((made.FOLDER / f"{request.param}.sql").read_text())
        assert current_version(conn) == request.param
    return instance


def database(instance: Path) -> Path:
    return instance / "proxyweb.sqlite"


def assert_all_is_there(instance: Path) -> None:
    """What was done when the database was made, and everything that follows from it."""
    with closing(connect(database(instance))) as conn:
        assert Counter(record.url for record in records(conn)) == Counter(parse_line(line).url for line in LINES)
        assert_adds_up(conn)
        assert conn.execute("SELECT reason, lines FROM rejected_counts ORDER BY reason").fetchall() == [
            ("blank", 1), ("not a line of Squid's access log", 1),
        ]  # fmt: skip
        assert audit_chain.verify(conn).wrong == []
        texts = [text for (text,) in conn.execute("SELECT target FROM audit_log WHERE action = 'made up' ORDER BY id")]
        assert texts == list("01234")
        for name in made.LOGS:
            summary = Importer(conn, parallel=False).import_file(made.HERE / name)
            assert (summary.rows, summary.rejected) == (0, 0), "what was read is still known"
    assert_accounts_and_settings(instance)


def assert_accounts_and_settings(instance: Path) -> None:
    app = create_app(configuration(instance))
    viewer, admin = (signed_in(app, basic(*who)) for who in (made.VIEWER, made.ADMIN))
    settings: dict[str, str] = {
        each["setting_name"]: each["setting_value"] for each in viewer.get("/api/settings").json["data"]
    }
    assert settings.items() >= {name: str(value).lower() for name, value in made.SETTINGS.items()}.items()

    def listed(path: str, field: str) -> list[Any]:
        return [each[field] for each in admin.get(path).json["data"]]

    assert listed("/api/domain-blacklist", "domain") == [made.BLOCKED_DOMAIN]
    assert listed("/api/ip-blacklist", "ip") == [made.BLOCKED_NETWORK]
    off = {
        each["name"] for each in admin.get("/api/waf/categories").json["data"] if each["rules"] and not each["enabled"]
    }
    assert off == {made.CATEGORY_OFF}
    assert viewer.post("/api/logs/clear").status_code == 403
    stats = viewer.get("/api/logs/stats").json["data"]
    assert (stats["total_count"], stats["rejected_lines"]) == (len(LINES), 2)
    core_of(app).database.close()


def status_of_service(instance: Path) -> list[tuple[str, str]]:
    with closing(connect(database(instance))) as conn:
        return conn.execute("SELECT name, status FROM service_statuses").fetchall()


def version(instance: Path) -> str | None:
    with closing(connect(database(instance), readonly=True)) as conn:
        return current_version(conn)


def upgraded(program: Path, instance: Path) -> None:
    """Do what `program` does first at every start."""
    code = "from proxyweb.config import load; from proxyweb.start import prepare; prepare(load())"
    environment = next_version.environment(program, instance)
    subprocess.run([next_version.PROGRAM[0], "-c", code], env=environment, check=True, timeout=60)


@pytest.mark.parametrize("old", ["0002", "0003"], indirect=True)
def test_what_was_counted_of_urls_is_counted_anew(old: Path) -> None:
    with closing(connect(database(old))) as conn:
        conn.execute("INSERT INTO url_counts VALUES ('7d', 0, 1, ?, '{}')", (made.NOW,))
    prepare(configuration(old), made.clock())
    with closing(connect(database(old))) as conn:
        assert conn.execute("SELECT count(*) FROM url_counts").fetchone() == (0,)


def test_there_is_a_database_of_every_version() -> None:
    """Missing? Write it with `python -m tests.data.make_database` in a checkout of that version."""
    assert {path.stem for path in made.FOLDER.glob("*.sql")} >= {known_versions()[0], *known_versions()[:-1]}


def test_an_older_database_is_brought_to_the_newest(old: Path) -> None:
    prepare(configuration(old))
    assert version(old) == NEWEST
    refuse_unsound(database(old))
    assert_all_is_there(old)
    assert status_of_service(old) == [(made.SERVICE, made.STATUS)]


def test_and_from_there_to_one_that_is_still_to_come(old: Path, program: Path) -> None:
    upgraded(program, old)
    assert version(old) == NEXT
    with closing(connect(database(old))) as conn:
        assert conn.execute("SELECT count(*) FROM seen").fetchone() == (len(LINES),)
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    look_as_this_version(old)
    assert_all_is_there(old)
    assert status_of_service(old) == [(made.SERVICE, made.STATUS)]


def look_as_this_version(instance: Path) -> None:
    """Have this version take the database for one of its own, to look what is in it."""
    with closing(connect(database(instance))) as conn:
        conn.execute("UPDATE alembic_version SET version_num = ?", (NEWEST,))


def dumped(instance: Path) -> list[str]:
    with closing(sqlite3.connect(database(instance))) as conn:
        return list(conn.iterdump())


@pytest.mark.parametrize("old", KEPT[:1], indirect=True)
def test_an_upgrade_that_is_killed_leaves_all_as_it_was(old: Path, program: Path, tmp_path: Path) -> None:
    begun_as, before, reached = version(old), dumped(old), tmp_path / "reached"
    for command, number in product(("serve", "clear-old"), (signal.SIGKILL, signal.SIGTERM)):
        environment = next_version.environment(program, old, SLOW_MIGRATION=str(reached),
                                               PROXYWEB_BIND=f"unix:{tmp_path / 'web.sock'}")  # fmt: skip
        process = subprocess.Popen([*PROGRAM, command], env=environment, start_new_session=True)
        try:
            wait_for(reached.exists, 30)
            reached.unlink()
            written = (old / "proxyweb.sqlite-wal").stat().st_size
            assert written > 100_000, "it is in the middle of it"
        finally:
            os.killpg(process.pid, number)  # clear-old upgrades in a child
            process.wait(5)
        assert version(old) == begun_as
        assert dumped(old) == before

    server = Server(old, by=("env", f"PYTHONPATH={program}", "PYTHONSAFEPATH=1"))
    try:
        wait_for(server.healthy, 30)
        stats = requests.get(f"{server.url}/api/logs/stats", auth=made.ADMIN, timeout=5).json()["data"]
        assert stats["total_count"] == len(LINES)
    finally:
        server.stop()
    assert version(old) == NEXT
    look_as_this_version(old)
    assert_all_is_there(old)


@pytest.fixture
def newer(old: Path, program: Path) -> Iterator[Path]:
    """An instance that a newer version has used."""
    upgraded(program, old)
    yield old


COMMANDS = (
    ("serve",),
    ("follow",),
    ("import", str(made.HERE / "common.log")),
    ("backup", "{folder}/backup.sqlite"),
    ("restore", "--yes", "{folder}/newer.sqlite"),
    ("user", "remove", "viewer"),
)


@pytest.mark.parametrize("old", KEPT[-1:], indirect=True)
def test_a_newer_database_is_refused_and_left_as_it_is(newer: Path, tmp_path: Path) -> None:
    shutil.copy(database(newer), tmp_path / "newer.sqlite")
    before = database(newer).read_bytes()
    environment = next_version.environment(next_version.PACKAGE.parent, newer,
                                           PROXYWEB_ACCESS_LOG=str(made.HERE / "native.log"),
                                           PROXYWEB_BIND=f"unix:{tmp_path / 'web.sock'}")  # fmt: skip
    for words in COMMANDS:
        command = [*PROGRAM, *(word.format(folder=tmp_path) for word in words)]
        refused = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
        assert refused.returncode == 1, (words, refused)
        assert "written by a newer proxyweb" in refused.stderr, (words, refused)
        assert refused.stderr.count("\n") == 1
        assert database(newer).read_bytes() == before, words
    assert not (tmp_path / "backup.sqlite").exists()
