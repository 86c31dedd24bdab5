"""What hosts and programs are, and what happens to what is stored when that knowledge changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyweb.errors import ConfigError
from proxyweb.ingest import rollups
from proxyweb.ingest.encoder import Encoder
from proxyweb.ingest.enrichment import BUILT_IN, Enrichment
from proxyweb.ingest.reclassification import is_classified, reclassify
from proxyweb.ingest.store import Store
from tests.ingest.factory import START_MS, Request, log, new_database

OWN = """
["Our own"]
"Wiki" = { domains = ["wiki.test"] }
["File sharing"]
"Dropbox" = { remove = true }
"""


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    conn = new_database(tmp_path / "proxyweb.sqlite")
    store = Store(conn)
    some = [
        Request(url="http://a.wiki.test/", client="10.0.0.2", time_ms=START_MS + 5),
        Request(url="http://a.wiki.test/", client="10.0.0.1", user_agent="curl/8.1"),
        Request(url="http://www.dropbox.com/"),
    ]
    with store.transaction():
        store.add(Encoder().encode(log(*some, log_format="proxyweb"), 0))
    yield conn
    assert rollups.differences(conn) == []
    conn.close()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "shadow_it.toml"
    path.write_text(OWN)
    return path


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.bbc.co.uk", "bbc.co.uk"),
        ("someone.github.io", "github.io"),  # the list's private section is not asked
        ("a.b.example.com", "example.com"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
        ("printer.lan", "printer.lan"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("192.0.2.9", "192.0.2.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("", ""),
    ],
)
def test_registrable_domains(host: str, domain: str) -> None:
    assert BUILT_IN.domain(host, host[:1].isdigit()) == domain


def services(conn: sqlite3.Connection) -> list[tuple[str, str, int]]:
    return conn.execute(
        "SELECT v.name, c.address, d.requests FROM daily_services AS d JOIN services AS v ON v.id = d.service_id"
        " JOIN clients AS c ON c.id = d.client_id ORDER BY 1, 2"
    ).fetchall()


def test_nothing_is_done_twice(conn: sqlite3.Connection) -> None:
    assert not is_classified(conn, BUILT_IN)
    reclassify(conn, BUILT_IN)
    assert is_classified(conn, BUILT_IN)
    changes = conn.total_changes
    reclassify(conn, BUILT_IN)
    assert conn.total_changes == changes


def test_the_owners_file_changes_what_is_stored(conn: sqlite3.Connection, own: Path) -> None:
    reclassify(conn, BUILT_IN)
    assert services(conn) == [("Dropbox", "10.0.0.7", 1)]
    assert not is_classified(conn, Enrichment(own))
    reclassify(conn, Enrichment(own))
    assert services(conn) == [("Wiki", "10.0.0.1", 1), ("Wiki", "10.0.0.2", 1)]
    first = conn.execute(
        "SELECT first_ms - ?, c.address, of_client_id > 0 FROM first_seen AS f JOIN services AS v ON v.id = subject_id"
        " JOIN clients AS c ON c.id = f.client_id WHERE subject = 'service' AND v.name = 'Wiki' ORDER BY 1, 3",
        (START_MS,),
    ).fetchall()
    assert first == [(0, "10.0.0.1", 0), (0, "10.0.0.1", 1), (5, "10.0.0.2", 1)]
    own.unlink()
    reclassify(conn, Enrichment(own))
    assert services(conn) == [("Dropbox", "10.0.0.7", 1)]


def test_a_store_goes_on_with_the_new_knowledge(conn: sqlite3.Connection, own: Path) -> None:
    store, encoder, content = Store(conn), Encoder(), log(Request(url="http://a.wiki.test/"))
    for _ in range(2):
        with store.transaction():
            store.add(encoder.encode(content, 0))
        reclassify(conn, Enrichment(own))
    assert services(conn) == [("Wiki", "10.0.0.1", 1), ("Wiki", "10.0.0.2", 1), ("Wiki", "10.0.0.7", 2)]


def test_programs_are_named_anew(conn: sqlite3.Connection) -> None:
    conn.execute("UPDATE user_agents SET name = 'Something', service_type = 'Other' WHERE id > 0")
    reclassify(conn, BUILT_IN)
    assert conn.execute("SELECT name, service_type FROM user_agents WHERE id > 0").fetchall() == [
        ("curl", "Command line and libraries")
    ]


def test_a_broken_file_of_the_owners_leaves_everything_as_it_is(conn: sqlite3.Connection, own: Path) -> None:
    reclassify(conn, BUILT_IN)
    own.write_text("[x")
    with pytest.raises(ConfigError, match=r"shadow_it\.toml can't be read"):
        reclassify(conn, Enrichment(own))
    assert is_classified(conn, BUILT_IN)
