"""What is stored adds up: rollups, zones and posting lists are those of the rows, after anything that can happen."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyweb.db.connection import connect, transaction
from proxyweb.errors import DatabaseError
from proxyweb.ingest import dimensions, postings
from proxyweb.ingest.batch import Batch
from proxyweb.ingest.encoder import Encoder
from proxyweb.ingest.record import Record, WafVerdict
from proxyweb.ingest.rollups import ROLLUPS
from proxyweb.ingest.store import Store
from tests.ingest.factory import FORMATS, Request, log, new_database, requests, traffic
from tests.ingest.recount import assert_adds_up, dump, posting_lists, records

SMALL_SEGMENT_BITS = 6


@pytest.fixture(autouse=True, scope="module")
def small_segments() -> Iterator[None]:
    """Posting lists for every 64 rows instead of 65,536."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postings, "SEGMENT_BITS", SMALL_SEGMENT_BITS)
        patch.setattr(postings, "SEGMENT_ROWS", 1 << SMALL_SEGMENT_BITS)
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "proxyweb.sqlite"


@pytest.fixture
def conn(path: Path) -> Iterator[sqlite3.Connection]:
    """A database with nothing in it; what a test leaves there adds up."""
    conn = new_database(path)
    yield conn
    assert_adds_up(conn)
    conn.close()


def add(store: Store, *batches: Batch) -> None:
    """All of these in one transaction."""
    with store.transaction():
        for batch in batches:
            store.add(batch)


_HOURS = st.sampled_from([0, 1, -1, 3_599_999, 3_600_000, -3_600_000, 86_400_000, -30 * 86_400_000])
_BLOCKS = st.lists(
    st.tuples(
        st.lists(st.tuples(requests(), _HOURS), min_size=1, max_size=5),
        st.sampled_from(FORMATS),
        st.sampled_from([1, 1, 1, 13, 64, 300]),  # how often
        st.sampled_from(["same", "same", "same", "commit", "restart"]),  # what happens before
    ),
    min_size=1,
    max_size=8,
)


@settings(deadline=None, max_examples=60)
@given(_BLOCKS)
def test_everything_adds_up(blocks: list[Any]) -> None:
    written: list[Record] = []
    transactions: list[list[Batch]] = [[]]
    encoder = Encoder()
    for moved, log_format, repeat, before in blocks:
        if before == "restart":
            encoder = Encoder()
        if before != "same":
            transactions.append([])
        some = [Request(**{**vars(it), "time_ms": it.time_ms + hours}) for it, hours in moved]
        transactions[-1].append(encoder.encode(log(*some, log_format=log_format) * repeat, 0))
        written += [it.record(log_format) for it in some] * repeat
    with TemporaryDirectory() as folder:
        conn = new_database(Path(folder) / "proxyweb.sqlite")
        store = Store(conn)
        for batches in transactions:
            add(store, *batches)
        assert records(conn) == written
        assert_adds_up(conn)
        conn.close()


def test_full_segments_of_the_real_size(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "SEGMENT_BITS", 16)
    monkeypatch.setattr(postings, "SEGMENT_ROWS", 65_536)
    conn, encoder = new_database(path), Encoder()
    block = log(*traffic(1000))
    store = Store(conn)
    add(store, *(encoder.encode(block, 0) for _ in range(65)))
    assert posting_lists(conn) == {}
    add(store, encoder.encode(block, 0))
    add(Store(conn), *(Encoder().encode(block * 30, 0) for _ in range(3)))
    assert {segment for _, segment, _ in posting_lists(conn)} == {0, 1}
    assert postings.differences(conn) == []
    assert_adds_up(conn)
    conn.close()


class Crash(BaseException):
    """What is no Exception either, like Ctrl-C."""


@pytest.mark.parametrize("error", [ValueError, Crash, sqlite3.OperationalError])
def test_an_exception_leaves_everything_as_it_was(error: type[BaseException], conn: sqlite3.Connection) -> None:
    store, encoder = Store(conn), Encoder()
    add(store, encoder.encode(log(*traffic(100)), 0))
    before = dump(conn)
    batches = [
        encoder.encode(log(*traffic(500, at, user=f"u{at}"), log_format="proxyweb"), 0) for at in (100, 600, 1100)
    ]
    with pytest.raises((error, DatabaseError)), store.transaction():
        store.add(batches[0])
        store.add(batches[1])
        raise error
    assert dump(conn) == before
    assert not conn.in_transaction
    add(store, Encoder().encode(log(*traffic(1500, 100)), 0))
    assert records(conn) == [it.record() for it in traffic(1600)]


def test_a_full_disk_leaves_everything_as_it_was(conn: sqlite3.Connection) -> None:
    store, encoder = Store(conn), Encoder()
    add(store, encoder.encode(log(*traffic(100)), 0))
    before = dump(conn)
    pages = conn.execute("PRAGMA page_count").fetchone()[0]
    conn.execute(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(DatabaseError, match="disk is full"):
        add(store, encoder.encode(log(*traffic(5000, 100)), 0))
    assert dump(conn) == before
    conn.execute("PRAGMA max_page_count = 1000000")
    add(store, Encoder().encode(log(*traffic(5000, 100)), 0))
    assert records(conn) == [it.record() for it in traffic(5100)]


def test_a_failure_while_texts_are_stored(conn: sqlite3.Connection) -> None:
    store, content = Store(conn), log(*traffic(100), log_format="proxyweb")
    add(store, Encoder().encode(log(*traffic(3)), 0))
    conn.execute("CREATE TEMP TRIGGER no_agents BEFORE INSERT ON user_agents BEGIN SELECT raise(ABORT, 'none'); END")
    with pytest.raises(sqlite3.IntegrityError, match="none"):
        add(store, Encoder().encode(content, 0))
    conn.execute("DROP TRIGGER no_agents")
    add(store, Encoder().encode(content, 0))
    assert len(records(conn)) == 103


def test_the_same_batches_once_more_after_a_failure(conn: sqlite3.Connection) -> None:
    store, encoder = Store(conn), Encoder()
    batches = [encoder.encode(log(*traffic(90, at)), 0) for at in (0, 90, 180)]
    with pytest.raises(Crash), store.transaction():
        store.add(batches[0])
        raise Crash
    add(store, *batches)
    assert records(conn) == [it.record() for it in traffic(270)]


def test_two_stores_take_turns(conn: sqlite3.Connection, path: Path) -> None:
    other = connect(path)
    stores, encoders = (Store(conn), Store(other)), (Encoder(), Encoder())
    written = []
    for turn in range(30):
        some = traffic(turn * 7 % 40, turn * 20, user=f"u{turn % 4}", referer="x", url=f"http://{turn % 11}.test/")
        add(stores[turn % 2], encoders[turn % 2].encode(log(*some, log_format="proxyweb"), 0))
        written += [it.record("proxyweb") for it in some]
    assert records(conn) == written
    other.close()


def delete_all(path: Path, *tables: str) -> None:
    """What retention does, as another process: rows go, then the texts that no row refers to any more."""
    other = connect(path)
    with transaction(other):
        derived = [rollup.table for rollup in ROLLUPS] + list(postings.TABLES.values())
        for table in ("proxy_logs", *derived, "log_zones", "first_seen", *tables):
            other.execute(f"DELETE FROM {table}")
        other.execute("INSERT OR IGNORE INTO peers VALUES (0, '')")
        other.execute("UPDATE counters SET value = value + 1 WHERE name IN ('logs', 'deletions')")
    other.close()


@pytest.mark.parametrize("tables", [(), ("sites", "hosts"), ("clients", "result_kinds", "sites", "hosts", "peers")])
def test_texts_that_another_process_deleted_are_stored_anew(
    tables: tuple[str, ...], conn: sqlite3.Connection, path: Path
) -> None:
    store, encoder = Store(conn), Encoder()
    add(store, encoder.encode(log(*traffic(128)), 0))
    delete_all(path, *tables)
    add(store, encoder.encode(log(*traffic(200)), 0))
    assert records(conn) == [it.record() for it in traffic(200)]


def rejected_only(store: Store, encoder: Encoder) -> None:
    """A transaction of nothing but garbage, some of it close to a line."""
    line = Request(client="10.9.9.9", waf=WafVerdict(7, "sqli", "1")).line("proxyweb")
    add(store, encoder.encode(b"a b c d e f g h i j\n" + line.replace(b"TCP_MISS/", b"Tcp_miss/") + b"\n", 0))


def test_turns_in_which_nothing_is_stored(conn: sqlite3.Connection, path: Path) -> None:
    other = connect(path)
    stores, encoders = (Store(conn), Store(other)), (Encoder(), Encoder())
    for turn in range(4):
        rejected_only(stores[turn % 2], encoders[turn % 2])
    for turn in range(4):
        it = Request(waf=WafVerdict(turn, "lfi", "2"))
        add(stores[turn % 2], encoders[turn % 2].encode(it.line("proxyweb") + b"\n", 0))
    other.close()


def test_texts_that_were_deleted_between_turns_in_which_nothing_is_stored(conn: sqlite3.Connection, path: Path) -> None:
    other = connect(path)
    stores, encoders = (Store(conn), Store(other)), (Encoder(), Encoder())
    for store, encoder, first in zip(stores, encoders, (0, 100), strict=True):
        add(store, encoder.encode(log(*traffic(50, first, url=f"http://{first}.test/")), 0))
    delete_all(path, "clients", "result_kinds", "sites", "hosts", "peers")
    for store, encoder in zip(stores, encoders, strict=True):
        rejected_only(store, encoder)
    for store, encoder, first in zip(stores, encoders, (0, 100), strict=True):
        add(store, encoder.encode(log(*traffic(50, first, url=f"http://{first + 1}.test/")), 0))
    assert len(records(conn)) == 100
    other.close()


def test_texts_that_a_table_holds_are_not_stored_again(conn: sqlite3.Connection) -> None:
    """Asked for by hundreds, and of one batch some are there and some are not."""
    written = []
    for turn in range(3):
        some = [
            Request(client=f"10.0.{n // 200}.{n % 200}", url=f"http://{n}.test:{n % 2 + 80}/")
            for n in range(turn * 100, turn * 150 + 250)
        ]
        add(Store(conn), Encoder().encode(log(*some, log_format="proxyweb"), 0))
        written += [it.record("proxyweb") for it in some]
    assert records(conn) == written
    for table in ("clients", "hosts", "sites"):
        assert conn.execute(f"SELECT count(*), max(id) FROM {table}").fetchone() == (550, 550)


@pytest.mark.parametrize("remembered", [0, 5, 15])
def test_tables_too_large_to_be_remembered(
    remembered: int, conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dimensions, "MAX_REMEMBERED", remembered)
    written = []
    for turn in range(6):
        some = [
            Request(client=f"10.0.0.{n % 4}", url=f"http://{turn}{n % 2}.test:{n % 20 + 80}/", user=f"u{n % 9}")
            for n in range(turn * 10, turn * 20 + 5)
        ]
        add(Store(conn), Encoder().encode(log(*some, log_format="proxyweb"), 0))
        written += [it.record("proxyweb") for it in some]
    assert records(conn) == written
