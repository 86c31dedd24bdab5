"""What is denied by settings and lists, and how changes come into force."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyweb.db.connection import connect, transaction
from proxyweb.db.database import advance
from proxyweb.waf.engine import Engine
from proxyweb.waf.policy import (
    NOTE_WIDTH,
    Answer,
    Networks,
    Policy,
    PolicyWatcher,
    Unjudged,
    beside_url,
    fitted,
    is_address,
    judge,
    listed,
    load_engine,
)
from tests.conftest import Clock

ATTACK = "http://shop.test/?id=1%20union%20select%20a,b%20from%20t"
WATCHED_SECONDS = 5.0


def change(database: Path, statement: str = "", values: tuple[Any, ...] = (), **settings: str) -> None:
    with closing(connect(database)) as conn, transaction(conn):
        if statement:
            conn.execute(statement, values)
        for name, value in settings.items():
            conn.execute("REPLACE INTO settings VALUES (?, ?)", (name, value))
        advance(conn, "settings")


def judged(
    policy: Policy, url: str, host: str = "a.test", client: str = "10.0.0.1", agent: str = "", referer: str = ""
) -> Answer:
    return judge(policy, url, beside_url(policy, client, "GET", host, agent, referer))


def answered(policy: Policy, url: str = "http://a.test/", client: str = "10.0.0.1", host: str = "a.test") -> str:
    """`pass`, `deny`, or `waf` where it is denied with notes."""
    answer = judged(policy, url, host, client)
    return ("waf" if answer.score else "deny") if answer.deny else "pass"


@pytest.fixture
def database(instance: Path) -> Path:
    return instance / "proxyweb.sqlite"


@pytest.fixture
def watcher(database: Path, engine: Engine, clock: Clock) -> Iterator[PolicyWatcher]:
    with closing(PolicyWatcher(database, lambda: engine, clock)) as watcher:
        yield watcher


# --- what a policy says ---


def test_without_settings_everything_passes() -> None:
    assert answered(Policy(), ATTACK) == "pass"


def test_lists_come_before_the_engine() -> None:
    policy = Policy(inspects=True, domains=frozenset({"shop.test"}), networks=Networks(["10.0.0.0/8"]))
    assert answered(policy, ATTACK, "192.0.2.1", "www.shop.test") == "deny"
    assert answered(policy, ATTACK, "10.1.2.3", "a.test") == "deny"


def test_an_attack_is_denied_and_noted(engine: Engine) -> None:
    answer = judged(Policy(inspects=True, engine=engine), ATTACK)
    assert (answer.deny, answer.category) == (True, "SQL_INJECTION")
    assert answer.score is not None
    assert answer.score >= 5
    assert "sql-union-select" in answer.rule.split(",")


def test_what_is_detected_or_below_the_threshold_is_noted_only(engine: Engine) -> None:
    for policy in (
        Policy(inspects=True, blocks=False, engine=engine),
        Policy(inspects=True, engine=engine.with_enabled(engine.enabled, 100)),
    ):
        answer = judged(policy, ATTACK)
        assert (answer.deny, answer.category) == (False, "SQL_INJECTION")


def test_agent_and_referer_are_looked_at(engine: Engine) -> None:
    policy = Policy(inspects=True, engine=engine)
    lookup = "${jndi:ldap://a.test/b}"
    assert judged(policy, "http://a.test/", agent=lookup).deny
    assert judged(policy, "http://a.test/", referer=f"http://a.test/?q={lookup}").deny


def test_there_is_no_verdict_without_an_engine() -> None:
    with pytest.raises(Unjudged):
        answered(Policy(inspects=True))


@pytest.mark.parametrize(
    ("host", "there"),
    [
        ("bad.test", True), ("www.bad.test", True), ("a.b.c.bad.test", True), ("BAD.test.", True),
        ("bad.test.evil", False), ("notbad.test", False), ("test", False), ("", False), (".", False), ("...", False),
        ("bücher.test", True), ("www.BÜCHER.test", True), ("xn--bcher-kva.test", True), ("buecher.test", False),
        ("\ud800.bad.test", True), ("x" * 300 + ".bad.test", True), ("\x00", False),
    ],
)  # fmt: skip
def test_a_domain_stands_for_what_is_below_it(host: str, there: bool) -> None:
    assert listed(frozenset({"bad.test", "xn--bcher-kva.test"}), host) == there


@pytest.mark.parametrize(
    ("address", "there"),
    [
        ("10.0.0.0", True), ("10.255.255.255", True), ("11.0.0.0", False), ("192.0.2.7", True), ("192.0.2.8", False),
        ("2001:db8::1", True), ("2001:db8:ffff::", True), ("2001:db9::", False), ("::1", True), ("::2", False),
        ("::ffff:10.1.1.1", True), ("::ffff:11.1.1.1", False), ("198.51.100.1", True), ("", False), ("-", False),
        ("a.test", False), ("10.0.0", False), ("::10.0.0.1", False), ("\ud800", False), ("\x00", False),
    ],
)  # fmt: skip
def test_an_address_in_a_network(address: str, there: bool) -> None:
    networks = Networks(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1", "::ffff:198.51.100.0/120"])
    assert (address in networks) == there


def test_the_whole_internet_is_a_network() -> None:
    assert "1.2.3.4" in Networks(["0.0.0.0/0"])
    assert "::1" not in Networks(["0.0.0.0/0"])
    assert "::1" in Networks(["::/0"])


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/x", "a.test", "", "::/129"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Networks([text])


@pytest.mark.parametrize(
    "host", ["1.2.3.4", "[::1]", "::1", "127.1", "0x7f.1", "2130706433", "017700000001", "1.2.3.4."]
)
def test_an_address_in_any_spelling(host: str) -> None:
    assert is_address(host)
    assert answered(Policy(denies_addresses=True), host=host) == "deny"


@pytest.mark.parametrize("host", ["", "a.test", "1e100.net", "1.2.3.4.test", "1.2.3.400", "123movies", "١٢٣", "1\x00"])
def test_what_is_no_address(host: str) -> None:
    assert not is_address(host)


@pytest.mark.parametrize(
    ("names", "note"),
    [
        ([], ""),
        (["A", "B"], "A,B"),
        (["a" * 31, "b" * 32, "c"], "a" * 31 + "," + "b" * 32),
        (["a" * 31, "b" * 33, "c"], "a" * 31),
        (["a" * 70], "a" * 64),
        (["ü" * 10, "bbbb"], "ü" * 10),
        (["a b" * 12, "b" * 5], "a b" * 12),
    ],
)
def test_notes_are_cut_between_names(names: list[str], note: str) -> None:
    assert fitted(names) == note


@given(st.lists(st.text(min_size=1)))
def test_notes_always_fit(names: list[str]) -> None:
    assert len(fitted(names)) <= NOTE_WIDTH


# --- how it comes out of the database ---


def test_everything_is_read_from_the_database(watcher: PolicyWatcher, database: Path, engine: Engine) -> None:
    watcher.look()
    assert answered(watcher.policy, ATTACK) == "pass"
    change(database, enable_waf="true")
    watcher.look()
    assert answered(watcher.policy, ATTACK) == "waf"
    change(database, waf_threshold="99")
    watcher.look()
    assert answered(watcher.policy, ATTACK) == "pass"
    change(database, "INSERT INTO waf_categories_off VALUES ('SQL_INJECTION', 0), ('GONE', 0)", waf_threshold="1")
    watcher.look()
    assert watcher.policy.engine
    assert watcher.policy.engine.enabled == engine.enabled - {"SQL_INJECTION"}
    change(database, "DELETE FROM waf_categories_off", waf_mode="detect", waf_on_failure="closed")
    watcher.look()
    assert not watcher.policy.fails_open
    assert answered(watcher.policy, ATTACK) == "pass"


def test_lists_count_when_they_are_on(watcher: PolicyWatcher, database: Path) -> None:
    change(database, "INSERT INTO domain_blacklist VALUES (NULL, 'a.test', '', 0)")
    change(database, "INSERT INTO ip_blacklist VALUES (NULL, '10.0.0.0/8', '', 0)")
    watcher.look()
    assert answered(watcher.policy) == "pass"
    change(database, enable_domain_blacklist="true")
    watcher.look()
    assert answered(watcher.policy, client="192.0.2.1") == "deny"
    assert answered(watcher.policy, host="b.test") == "pass"
    change(database, enable_domain_blacklist="false", enable_ip_blacklist="true")
    watcher.look()
    assert answered(watcher.policy, client="192.0.2.1") == "pass"
    assert answered(watcher.policy, host="b.test") == "deny"


def test_nothing_is_read_again_without_a_change(watcher: PolicyWatcher) -> None:
    watcher.look()
    policy = watcher.policy
    watcher.look()
    assert watcher.policy is policy


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"no database at all" * 1000),
        lambda path: path.write_bytes(b""),
        lambda path: path.rename(path.with_suffix(".away")),
        lambda path: sqlite3.connect(path).execute("DROP TABLE settings"),
        lambda path: change(path, "DELETE FROM counters"),
        lambda path: change(path, waf_threshold="nonsense"),
        lambda path: change(path, "INSERT INTO ip_blacklist VALUES (NULL, 'x', '', 0)", enable_ip_blacklist="true"),
    ],
    ids=["deleted", "overwritten", "emptied", "renamed", "no table", "no counter", "bad setting", "bad network"],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_last_policy_stays_whatever_happens(
    watcher: PolicyWatcher, database: Path, harm: Callable[[Path], object]
) -> None:
    change(database, enable_waf="true")
    watcher.look()
    harm(database)
    for _ in range(3):
        watcher.look()
        assert answered(watcher.policy, ATTACK) == "waf"


def test_a_locked_database_is_no_reason_to_wait(watcher: PolicyWatcher, database: Path) -> None:
    change(database, enable_waf="true")
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        watcher.look()
        assert time.monotonic() - begun < 2
        assert answered(watcher.policy, ATTACK) == "pass"
    watcher.look()
    assert answered(watcher.policy, ATTACK) == "waf"


def test_another_database_in_its_place_is_read(watcher: PolicyWatcher, database: Path) -> None:
    watcher.look()
    database.with_suffix(".new").write_bytes(database.read_bytes())
    change(database.with_suffix(".new"), enable_waf="true")
    database.with_suffix(".new").replace(database)
    watcher.look()
    assert answered(watcher.policy, ATTACK) == "waf"


def test_a_database_that_comes_later_is_read(database: Path, engine: Engine) -> None:
    away = database.rename(database.with_suffix(".away"))
    with closing(PolicyWatcher(database, lambda: engine)) as watcher:
        watcher.look()
        assert answered(watcher.policy, ATTACK) == "pass"
        change(away, enable_waf="true")
        away.rename(database)
        watcher.look()
        assert answered(watcher.policy, ATTACK) == "waf"


def test_closing_leaves_a_successors_journal_alone(watcher: PolicyWatcher, database: Path, tmp_path: Path) -> None:
    watcher.look()
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(database.read_bytes())
    copy.replace(database)
    with closing(connect(database)) as conn:
        conn.execute("REPLACE INTO settings VALUES ('gdpr_mode', 'true')")
        watcher.look()
        watcher.close()
        assert database.with_name("proxyweb.sqlite-wal").stat().st_size > 0


# --- the engine ---


def test_lists_hold_while_the_engine_is_made(database: Path, engine: Engine, clock: Clock) -> None:
    change(database, "INSERT INTO domain_blacklist VALUES (NULL, 'a.test', '', 0)", enable_domain_blacklist="true")
    seen: list[str] = []

    def make() -> Engine:
        seen.append(answered(watching.policy))
        return engine

    with closing(PolicyWatcher(database, make, clock)) as watching:
        watching.look()
        watching.look()
        assert watching.policy.engine
    assert seen == ["deny"]


def test_an_engine_that_fails_is_tried_again(
    database: Path, engine: Engine, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[float] = []

    def make() -> Engine:
        tries.append(clock.now)
        if len(tries) < 3:
            raise OSError("no memory")
        return engine

    change(database, enable_waf="true")
    with closing(PolicyWatcher(database, make, clock)) as watcher:
        for _ in range(400):
            watcher.look()
            clock.now += 0.4
        assert answered(watcher.policy, ATTACK) == "waf"
    assert len(tries) == 3
    assert [record.message for record in caplog.records] == ["the WAF can't judge: OSError: no memory"] * 2


def test_own_rules_that_are_at_fault_leave_the_others(
    instance: Path, compiled: Path, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    (instance / "cache").symlink_to(compiled)
    (instance / "waf_rules.toml").write_text("nonsense")
    assert load_engine(instance).judge("GET", ATTACK).blocked
    assert "only the built-in rules are in force" in caplog.text
    (instance / "waf_rules.toml").write_text("[[rules]]\nid = 'own'\ntargets = ['path']\npattern = '^/mine$'\n")
    assert load_engine(instance).judge("GET", "http://a.test/mine").rules == ("own",)


# --- the thread ---


def test_a_change_is_seen_while_it_runs(database: Path, engine: Engine) -> None:
    watcher = PolicyWatcher(database, lambda: engine).start()
    assert watcher.settled.wait(WATCHED_SECONDS)
    change(database, enable_waf="true")
    begun = time.monotonic()
    while answered(watcher.policy, ATTACK) != "waf":
        assert time.monotonic() < begun + WATCHED_SECONDS
        time.sleep(0.01)
