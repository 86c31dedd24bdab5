"""The verdict: what counts once, what switches off, and that nothing whatever breaks it."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyweb.errors import ConfigError
from proxyweb.waf.engine import INNOCENT, Engine
from proxyweb.waf.rules import Category, Rule

ATTACK = "http://shop.test/list?id=1%20union%20select%20login,secret%20from%20members"
EVERYDAY = (
    "http://www.example.com/",
    "https://news.example.com/2024/05/17/what-to-select-from-the-new-menu?ref=home&utm_source=mail",
    "http://shop.test/search?q=men%27s+shoes+size+44+%26+socks",
    "https://maps.example.com/@48.85,2.35,12z/data=!3m1!4b1",
    "http://cdn.test/jquery-3.7.1.min.js?v=1.2.3",
    "http://login.example.com/?continue=https%3A%2F%2Fmail.example.com%2Finbox%3Fpage%3D1",
    "http://shop.test/a;jsessionid=0123ABCD?price=10..20&order=price+desc",
    "http://ads.test/pixel?data=eyJhIjoiYiIsImMiOjF9&cb=1715172411000&r=0.1234567",
    "mail.example.com:443",
)


def small(*rules: Rule, threshold: int = 5) -> Engine:
    return Engine([Category("A", "A", "", rules)], threshold=threshold)


def test_an_attack_is_blocked_and_named(engine: Engine) -> None:
    verdict = engine.judge("GET", ATTACK)
    assert verdict.blocked
    assert verdict.categories == ("SQL_INJECTION",)
    assert "sql-union-select" in verdict.rules
    assert verdict.score >= 5


@pytest.mark.parametrize("url", EVERYDAY)
def test_everyday_requests_score_nothing(engine: Engine, url: str) -> None:
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/124.0.0.0 Safari/537.36"
    headers = {"User-Agent": agent, "Referer": "https://www.example.com/search?q=a+b"}
    assert engine.judge("CONNECT" if url.endswith(":443") else "GET", url, headers) == INNOCENT


def test_a_category_that_is_off_is_passed_over_at_once(engine: Engine) -> None:
    begun = time.perf_counter()
    without = engine.with_enabled(engine.enabled - {"SQL_INJECTION"})
    assert time.perf_counter() - begun < 0.01
    assert without.judge("GET", ATTACK) == INNOCENT
    assert engine.judge("GET", ATTACK).blocked
    assert engine.with_enabled(()).judge("GET", ATTACK, {"User-Agent": "sqlmap/1.8"}) == INNOCENT


def test_what_was_seen_while_a_category_was_off_counts_once_it_is_on(engine: Engine) -> None:
    off = engine.with_enabled(engine.enabled - {"CRYPTO_TUNNEL"})
    assert off.judge("GET", "http://pool.supportxmr.com/") == INNOCENT
    assert engine.judge("GET", "http://pool.supportxmr.com/").blocked


def test_a_rule_counts_once_however_often_it_matches() -> None:
    engine = small(Rule("a", "", 3, "evil", targets=("query", "path")), Rule("b", "", 2, "evil|bad"))
    assert engine.judge("GET", "http://h.test/evil?a=evil&b=evil").score == 5
    assert engine.judge("GET", "http://h.test/evil").score == 3
    assert engine.judge("GET", "http://h.test/?a=bad&b=bad").score == 2


def test_the_threshold_blocks_from_there_on() -> None:
    rule = Rule("a", "", 5, "evil")
    assert small(rule, threshold=5).judge("GET", "/?a=evil").blocked
    assert not small(rule, threshold=6).judge("GET", "/?a=evil").blocked
    assert small(rule).with_enabled({"A"}, threshold=6).judge("GET", "/?a=evil") == (5, ("a",), ("A",), False)


@pytest.mark.parametrize(
    "value", ["evil", "%65vil", "%2565vil", "ev%00il", "&#101;vil", "%u0065vil", "ｅvil", "\\u0065vil"]
)
def test_a_value_is_matched_in_its_normal_form(value: str) -> None:
    assert (
        small(Rule("a", "", 3, "^evil$")).judge("GET", f"/?a={value.replace('&', '%26').replace('#', '%23')}").score
        == 3
    )


def test_targets_are_kept_apart() -> None:
    engine = small(
        *(Rule(target, "", 1, "evil", targets=(target,)) for target in ("path", "query", "host", "agent", "referer"))
    )
    assert engine.judge("GET", "http://evil.test/").rules == ("host",)
    assert engine.judge("GET", "http://h.test/evil").rules == ("path",)
    assert engine.judge("GET", "http://h.test/?evil").rules == ("query",)
    assert engine.judge("GET", "http://h.test/?evil=1&b=2").rules == ()  # a plain name is no value
    assert engine.judge("GET", "http://h.test/", {"user-agent": "evil"}).rules == ("agent",)
    assert engine.judge("GET", "http://h.test/", {"REFERER": "http://r.test/?q=evil"}).rules == ("referer",)
    assert engine.judge("GET", "/", {"Host": "evil.test:8080"}).rules == ("host",)
    assert engine.judge("CONNECT", "evil.test:443").rules == ("host",)
    assert engine.judge("GET", "http://evil:pass@h.test/").rules == ()


def test_names_unless_and_checks_narrow_a_rule() -> None:
    engine = small(
        Rule("named", "", 1, "x", names="cmd"),
        Rule("unless", "", 1, "x", unless="fox"),
        Rule("check", "", 1, r"\d", check="luhn"),
    )
    assert engine.judge("GET", "/?cmd=x&b=y").rules == ("named", "unless")
    assert engine.judge("GET", "/?q=fox").rules == ()
    assert engine.judge("GET", "/?q=4111111111111111").rules == ("check",)
    assert engine.judge("GET", "/?q=4111111111111112").rules == ()


def test_a_pattern_that_is_none_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'a\(b'"):
        small(Rule("a", "", 1, "fine"), Rule("b", "", 1, "a(b"))


def test_the_compiled_patterns_are_kept_and_made_anew_when_damaged(tmp_path: Path) -> None:
    category = Category("A", "A", "", (Rule("a", "", 5, "evil"),))
    for damage in (None, b"", b"\x00" * 40, None):
        assert Engine([category], cache=tmp_path).judge("GET", "/?a=evil").blocked
        files = sorted(tmp_path.iterdir())
        assert files
        for file in files if damage is not None else ():
            file.write_bytes(damage or b"")
    whole = [file.read_bytes() for file in files]
    for file, content in zip(files, whole, strict=True):
        file.write_bytes(content[:-100] + b"!" * 100)
    assert Engine([category], cache=tmp_path).judge("GET", "/?a=evil").blocked
    assert [file.read_bytes()[-100:] for file in files] != [b"!" * 100] * len(files)


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert (
        Engine([Category("A", "A", "", (Rule("a", "", 5, "x"),))], cache=tmp_path / "file" / "x")
        .judge("GET", "/?x")
        .score
    )


def test_threads_take_turns(engine: Engine) -> None:
    wrong: list[object] = []

    def judge() -> None:
        wrong.extend(found for _ in range(200) if not (found := engine.judge("GET", ATTACK)).blocked)

    threads = [Thread(target=judge) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


ODD = st.text(max_size=200) | st.text("%u0027'\"/\\<>&#;.{}$()|`-*=unioselct 1\x00\ud800é", max_size=300)


@settings(max_examples=300, deadline=None)
@given(method=ODD, url=ODD, agent=ODD, referer=ODD)
def test_whatever_the_text_there_is_a_verdict(engine: Engine, method: str, url: str, agent: str, referer: str) -> None:
    verdict = engine.judge(method, url, {"User-Agent": agent, "Referer": referer, "Host": url, "X": "y"})
    assert verdict.blocked == (verdict.score >= 5)
    assert len(set(verdict.rules)) == len(verdict.rules)
    assert engine.judge(method, f"http://h.test/{url}").score >= 0


@pytest.mark.parametrize(
    "text",
    [
        "%25" * 40_000 + "27", "'" * 100_000, "a=1&" * 30_000, "((((" * 20_000, "/*" * 40_000, "&#39;" * 20_000,
        "<a " * 30_000, "../" * 30_000, "\\u0041" * 20_000, "1,(" * 30_000, ";ls " * 30_000, "{{" * 40_000,
        "*/" + "/*" * 40_000, "' or " * 20_000, "4111 " * 20_000, "a.b-" * 30_000, "é" * 100_000,
        "|host " * 20_000 + "!", "\x00" * 100_000, "rn" * 60_000,
    ],
)  # fmt: skip
def test_long_texts_take_no_longer_than_others(engine: Engine, text: str) -> None:
    headers = {"User-Agent": text, "Referer": f"http://{text}", "Host": text}
    begun = time.perf_counter()
    for url in (f"http://h.test/{text}?q={text}", f"http://{text}/", text):
        engine.judge("GET", url, headers)
    assert time.perf_counter() - begun < 0.5  # each takes some ms; what backtracks takes minutes


def test_patterns_kept_for_other_rules_are_not_taken(tmp_path: Path) -> None:
    for pattern in ("evil", "bad", "evil"):
        engine = Engine([Category("A", "A", "", (Rule("a", "", 5, pattern),))], cache=tmp_path)
        assert engine.judge("GET", f"/?a={pattern}").blocked
        assert engine.judge("GET", "/?a=good") == INNOCENT
