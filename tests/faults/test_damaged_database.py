"""Random bytes over pages of the database: noticed and told; nothing is written until a backup is in its place."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from apiflask import APIFlask

from proxyweb.api.context import core_of
from proxyweb.db import damage
from proxyweb.db.connection import connect, transaction
from proxyweb.errors import Damaged
from proxyweb.ingest.page_check import PageCheck
from tests.clients import anonymous, basic, signed_in
from tests.conftest import ADMIN_PASSWORD
from tests.e2e.program import Follow, command
from tests.e2e.server import Server
from tests.faults.checking import exact, times, writing
from tests.faults.test_killed import serving
from tests.ingest.following import Writer
from tests.test_supervisor import wait_for

ADMIN = ("admin", ADMIN_PASSWORD)
PAGE, PAGES = 4096, 3


def scribble(database: Path, choose: random.Random, first: int | None = None) -> None:
    """Random bytes over pages in a row."""
    pages = database.stat().st_size // PAGE
    with database.open("r+b") as file:
        file.seek((choose.randrange(1, pages - PAGES) if first is None else first) * PAGE)
        file.write(choose.randbytes(PAGES * PAGE))


@pytest.fixture
def filled(instance: Path, writer: Writer) -> Path:
    """An instance with some thousand entries, closed, and a backup of it beside."""
    writer.write(5000)
    with Follow(instance, writer.path) as follow:
        exact(follow, writer)
        assert follow.end()[0] == 0
    assert command(instance, writer.path, "backup", str(instance.parent / "backup")).returncode == 0
    return instance


def the_first_pages(database: Path) -> None:
    """Without these it is no SQLite database at all."""
    scribble(database, random.Random(0), 0)


def the_schema_format(database: Path) -> None:
    """One bit of the header; SQLite has no code of its own for what it finds then."""
    flip_bit(database, 47)


def flip_bit(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


def anywhere(seed: int) -> Callable[[Path], None]:
    return lambda database: scribble(database, random.Random(seed))


DAMAGES = [the_first_pages, the_schema_format, *map(anywhere, range(times(2, 40)))]


@pytest.mark.parametrize("damage_to", DAMAGES)
def test_wherever_it_is(
    damage_to: Callable[[Path], None], filled: Path, writer: Writer, make_app: Callable[..., APIFlask]
) -> None:
    database = filled / "proxyweb.sqlite"
    damage_to(database)
    before = database.stat().st_ino
    follow = Follow(filled, writer.path)
    follow.start()
    writer.write(1000)
    wait_for(lambda: damage.is_marked(database), 30)
    end(follow)
    stored, since = database.read_bytes(), time.time()
    follow.start()
    writer.write(10)
    wait_for(lambda: refused(follow, since), 30)
    end(follow)
    assert (database.stat().st_ino, database.read_bytes()) == (before, stored)

    app = make_app()
    health = anonymous(app).get("/api/health")
    assert health.status_code == 503
    assert "damaged" in health.json["detail"]
    admin = signed_in(app, basic(*ADMIN))
    assert admin.put("/api/settings/log_retention_days", json={"value": 7}).status_code == 503
    for path in ("logs", "logs/stats", "settings", "status", "analytics/dashboard-summary"):
        assert admin.get(f"/api/{path}").status_code in (200, 404, 503)
    assert "damaged" in command(filled, writer.path, "check").stdout

    core_of(app).database.close()
    restore(filled, writer.path)
    assert anonymous(app).get("/api/health").status_code == 200
    with follow:
        exact(follow, writer)


def end(follow: Follow) -> None:
    """Of a follower that may be about to end by itself, with one sentence, as it can not even begin."""
    assert follow.process
    follow.process.terminate()
    assert follow.process.wait(20) in (0, 1, -signal.SIGTERM)


def refused(follow: Follow, since: float) -> bool:
    """Whether a follower that was started `since` has ended, or says what is wrong."""
    assert follow.process
    status = follow.status
    said = status is not None and status.time > since and status.state == "error"
    return said or follow.process.poll() == 1


def restore(instance: Path, log: Path) -> None:
    said = command(instance, log, "restore", "--yes", str(instance.parent / "backup"))
    assert said.returncode == 0, said.stderr
    assert not damage.mark_of(instance / "proxyweb.sqlite").exists()


def test_while_everything_runs_and_over_a_restart(filled: Path, writer: Writer) -> None:
    """Under the very pages that are written to, so that it is met at once."""
    database = filled / "proxyweb.sqlite"
    with connect(database, readonly=True) as conn:
        root = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'log_zones'").fetchone()[0]
    conn.close()
    with serving(filled, ACCESS_LOG=str(writer.path)) as server:
        scribble(database, random.Random(1), root - 1)
        with writing(writer, 1000):
            wait_for(lambda: unhealthy(server), 30)
        assert requests.get(f"{server.url}/api/settings", auth=ADMIN, timeout=10).status_code == 200
    with_damage = Server(filled, ACCESS_LOG=str(writer.path))
    try:
        wait_for(lambda: unhealthy(with_damage), 30)
    finally:
        assert "is damaged" in with_damage.stop()
    assert with_damage.process.returncode == 0
    restore(filled, writer.path)
    with serving(filled, ACCESS_LOG=str(writer.path)):
        exact(Follow(filled, writer.path), writer)


def unhealthy(server: Server) -> bool:
    try:
        answer = requests.get(f"{server.url}/api/health", timeout=10)
    except (requests.ConnectionError, requests.Timeout):
        return False
    return answer.status_code == 503 and "damaged" in answer.json()["detail"]


def test_what_nobody_touches_is_found_aside(filled: Path) -> None:
    database = filled / "proxyweb.sqlite"
    with PageCheck(database, first_seconds=0):
        time.sleep(0.5)
        assert not damage.is_marked(database)
    scribble(database, random.Random(4))
    with PageCheck(database, first_seconds=0):
        wait_for(lambda: damage.is_marked(database))
    conn = connect(database)
    with pytest.raises(Damaged, match="restore a backup"), transaction(conn):
        pass
    conn.close()
    damage.mark_of(database).unlink()
    assert not damage.is_marked(database)
