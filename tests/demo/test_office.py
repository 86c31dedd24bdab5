"""The demo's traffic: what the log says of attacks is what the WAF says, and all of it can be read."""

from __future__ import annotations

from collections import Counter

from proxyweb.catalogue.shadow_it import load as load_catalogue
from proxyweb.demo.attacks import ATTACKS
from proxyweb.demo.office import DAYS, history
from proxyweb.demo.population import names
from proxyweb.ingest.squid import parse_line
from proxyweb.waf.engine import Engine

NOW = 1_770_000_000
WEEK_MS = 7 * 86_400_000
LONGEST_NOTE = 64
REQUESTS = 40_000


def test_the_waf_says_of_the_attacks_what_the_log_does(engine: Engine) -> None:
    for attack in ATTACKS:
        verdict = engine.judge("GET", f"http://shop.example{attack.path}", {"User-Agent": "curl/8.5.0"})
        rules = attack.rules.split(",")
        assert (attack.score, attack.categories.split(",")) == (verdict.score, list(verdict.categories)), attack.path
        assert rules == list(verdict.rules)[: len(rules)], attack.path
        assert max(len(attack.categories), len(attack.rules)) <= LONGEST_NOTE


def test_the_services_are_in_the_catalogue() -> None:
    catalogue = load_catalogue()
    known = {host: catalogue.match(host) for kind in ("services", "new_services") for host in names(kind)}
    assert [host for host, service in known.items() if service is None] == []


def test_a_month_of_it() -> None:
    log = [parse_line(line) for block in history(REQUESTS, DAYS, NOW) for line in block.splitlines()]
    assert len(log) == REQUESTS
    assert min(it.time_ms for it in log) + 2000 >= NOW * 1000 - DAYS * 86_400_000
    assert max(it.time_ms for it in log) <= NOW * 1000
    reasons = Counter(it.kind.reason for it in log)
    assert reasons["policy"] > 300
    assert reasons["waf"] > 30
    assert {category for it in log for category in it.waf.categories.split(",")} > {"SQL_INJECTION", "XSS_ATTACKS"}
    assert len({it.user for it in log}) > 20
    new = {host for host in names("new_services") if any(host in it.url for it in log)}
    assert new == set(names("new_services"))
    assert not [it for it in log if it.time_ms < NOW * 1000 - WEEK_MS and any(host in it.url for host in new)]
