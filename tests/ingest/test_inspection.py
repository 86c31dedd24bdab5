"""What is scored as the log is read is what the engine says of each request by itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyweb.ingest import rollups
from proxyweb.ingest.encoder import Encoder
from proxyweb.ingest.follower import Stopped
from proxyweb.ingest.importer import Importer
from proxyweb.ingest.inspection import Scoring
from proxyweb.ingest.record import INNOCENT, NO_VERDICT, Record, WafVerdict
from proxyweb.ingest.scorer import Scorer
from proxyweb.waf.engine import Engine
from proxyweb.waf.rules import load
from tests.ingest.factory import Request, log, new_database, requests, traffic
from tests.ingest.recount import assert_adds_up, records
from tests.ingest.test_encoder import Decoder
from tests.waf.examples import request

ODD_URLS = (
    "http://a.test/?a=1=1&b", "http://a.test/?&&=x&=&a", "http://a.test/p&lt;script>?x",
    "http://a.test?q=' or 1=1 --", "http://a.test/a?b?c=<script>alert(1)</script>",
    "http://a.test/?amp;id=1' or '1'='1&amp;x=../../etc/passwd", "http://a.test/?na%6de=..%2f..%2fetc%2fpasswd",
    "http://a.test/?password=hunter22hunter22&q=1", "urn:foo:bar' or 1=1--",
    "http://a.test/?q=PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", "http://a.test/?q=PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg",
    "http://a.test/PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg", "cache_object://a.test/info",
    "http://a.test\\@b.test/../../etc/passwd", "http://a.test/#' or 1=1", "http://a.test/" + "&x=1" * 90 + "' or 1=1--",
    "http://a.test/?" + "x=1&" * 90 + "y=' or 1=1--", "http://a.test/" + "a" * 9000 + "/../../../etc/passwd",
    "http://a.test/?q=" + "b" * 7000 + "' union select 1", "http://paypa1.com/", "http://xn--pypal-4ve.com/x",
    "http://kq3v9z7xw1j5.com/", "http://a.test/?x=é' or 1=1--", "http://a.test/caf%C3%A9", "http://a.test/%uff07",
    "http://a.test/;id", "http://a.test/?a=1%0als", "http://a.test/?c=cat+/etc/passwd",
)  # fmt: skip


@pytest.fixture(scope="session")
def scoring(engine: Engine, compiled: Path) -> Scoring:
    return Scoring(engine, compiled)


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    conn = new_database(tmp_path / "proxyweb.sqlite")
    yield conn
    conn.close()


def judged(engine: Engine, it: Record) -> WafVerdict:
    """By the engine, from what the record has."""
    headers: Mapping[str, str] = {
        name: text for name, text in (("user-agent", it.user_agent), ("referer", it.referer)) if text
    }
    verdict = engine.judge(it.kind.method, it.url, headers)
    return WafVerdict(verdict.score, ",".join(verdict.categories), ",".join(verdict.rules))


def assert_judged(scoring: Scoring, content: bytes) -> None:
    """Every row of the log has the engine's verdict, unless the helper gave one; and nothing else differs."""
    encoder, decoder = Encoder(scoring=scoring), Decoder()
    found = [record for half in (content, content) for record in decoder.records(encoder.encode(half, 0))]
    plain = Decoder().records(Encoder().encode(content, 0)) * 2
    wanted = [it if it.waf != NO_VERDICT else replace(it, waf=judged(scoring.engine, it)) for it in plain]
    assert found == wanted


def test_the_rules_own_examples(scoring: Scoring) -> None:
    examples = (
        request(rule, example)
        for category in load()
        for rule in category.rules
        for example in (*rule.match, *rule.passes)
    )
    lines = [
        Request(method=method, url=url, user_agent=headers.get("User-Agent", ""), referer=headers.get("Referer", ""))
        for method, url, headers in examples
    ]
    fitting = [it for it in lines if not set(it.url + it.method) & set(" \n\r\t\0\x0b\x0c")]
    assert len(fitting) > 300
    assert_judged(scoring, log(*fitting, log_format="proxyweb"))
    assert_judged(scoring, log(*fitting))


def test_odd_urls(scoring: Scoring) -> None:
    some = [Request(url=url.replace(" ", "%20"), referer=url) for url in ODD_URLS]
    connects = [Request(method="CONNECT", url=f"{host}:443") for host in ("a.test", "paypa1.com", "kq3v9z7xw1j5.com")]
    for log_format in ("native", "proxyweb", "combined"):
        assert_judged(scoring, log(*some, *connects, *some, log_format=log_format))
    for it in some:
        assert_judged(scoring, log(it))


_PIECES = st.sampled_from(
    ["'", "%27", " or ", "1=1", "--", "/", "..", "?", "&", "=", "a", "id", "amp;", "%2e", "+", "<script>", "union",
     "select", ";", "cat", "/etc/passwd", "${jndi:", "\\", "é", "%u0027", "#", "b=", "password=", "4111111111111111",
     "PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg", "://", "localhost", "\n", "%00", "."]
)  # fmt: skip
_TEXTS = st.lists(_PIECES, max_size=12).map("".join)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(_TEXTS, _TEXTS, _TEXTS), min_size=1, max_size=12))
def test_any_pieces_in_any_order(scoring: Scoring, texts: list[tuple[str, str, str]]) -> None:
    some = [
        Request(url=f"http://a.test/{rest}".replace(" ", "+").replace("\n", ""), user_agent=agent, referer=referer)
        for rest, agent, referer in texts
    ]
    assert_judged(scoring, log(*some, log_format="proxyweb"))


@settings(deadline=None, max_examples=60)
@given(st.lists(requests(), min_size=1, max_size=8), st.sampled_from(["native", "combined", "proxyweb"]))
def test_any_requests(scoring: Scoring, some: list[Request], log_format: str) -> None:
    assert_judged(scoring, log(*some, log_format=log_format))


def test_rules_of_the_owners_own(tmp_path: Path) -> None:
    from proxyweb.waf.custom import load as load_own
    from proxyweb.waf.custom import with_own

    own = '[[rules]]\nid = "shop"\npattern = "^/shop1/"\ntargets = ["path", "query"]\n'
    (tmp_path / "waf_rules.toml").write_text(own)
    scoring = Scoring(Engine(with_own(load(), load_own(tmp_path))))
    some = [Request(url=f"http://a.test/{rest}") for rest in ("shop1/x", "shop2/x", "x?y=/shop1/&z=1", "%73hop1/")]
    assert_judged(scoring, log(*some))


def test_what_is_switched_off_scores_nothing(scoring: Scoring) -> None:
    attack = log(Request(url="http://a.test/?id=1'%20or%20'1'='1"))
    engine = scoring.engine
    decoder = Decoder()
    assert decoder.records(Encoder(scoring=scoring).encode(attack, 0))[0].waf.score >= 5
    without = scoring.with_engine(engine.with_enabled(engine.enabled - {"SQL_INJECTION"}))
    assert decoder.records(Encoder(scoring=without).encode(attack, 0))[0].waf == INNOCENT


@pytest.mark.parametrize("log_format", ["native", "proxyweb"])
def test_an_import_scores_when_the_setting_says_so(
    log_format: str, conn: sqlite3.Connection, tmp_path: Path, compiled: Path
) -> None:
    (tmp_path / "cache").symlink_to(compiled)
    some = [*traffic(60), Request(url="http://a.test/?q=<script>alert(1)</script>"), *traffic(40, 60)]
    file = tmp_path / "access.log"
    file.write_bytes(log(*some, log_format=log_format))
    Importer(conn, parallel=False, instance=tmp_path).import_file(file)
    assert {it.waf for it in records(conn)} == {NO_VERDICT}
    conn.execute("INSERT INTO settings VALUES ('waf_score_log', 'true')")
    conn.execute("UPDATE counters SET value = value + 1 WHERE name = 'settings'")
    for parallel in (False, True):
        Importer(conn, parallel=parallel, instance=tmp_path).import_file(file, again=True)
    scored = [it.waf for it in records(conn) if it.waf != NO_VERDICT]
    assert len(scored) == 202
    assert [verdict.categories for verdict in scored if verdict != INNOCENT] == ["XSS_ATTACKS"] * 2
    assert_adds_up(conn)
    inspected, entropy = conn.execute("SELECT sum(requests), sum(entropy) FROM daily_waf_verdicts").fetchone()
    assert inspected == 202
    assert entropy > 202 * 2000
    conn.execute("UPDATE daily_waf_verdicts SET entropy = entropy + 1")
    assert rollups.differences(conn)


def test_whoever_waits_for_the_patterns_is_told_and_may_stop(
    conn: sqlite3.Connection, tmp_path: Path, compiled: Path
) -> None:
    (tmp_path / "cache").symlink_to(compiled)
    conn.execute("INSERT INTO settings VALUES ('waf_score_log', 'true')")
    conn.execute("UPDATE counters SET value = value + 1 WHERE name = 'settings'")
    told: list[int] = []
    scorer = Scorer(tmp_path, lambda: told.append(len(told)))
    assert scorer.renew(conn)
    assert scorer.scoring is not None
    assert told
    known = len(told)
    assert not scorer.renew(conn)
    assert len(told) == known

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        Scorer(tmp_path, stop).renew(conn)
