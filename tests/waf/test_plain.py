"""URLs without a disguise: they are read faster, and to the same effect."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyweb.waf.engine import Engine
from proxyweb.waf.normalise import normal
from proxyweb.waf.plain import plain
from proxyweb.waf.request import QUERY, pairs, split, values
from proxyweb.waf.rules import load
from tests.waf.examples import request

PLAIN = (
    "http://a.test/",
    "https://a.test:8443/shop/items.html",
    "http://a.test/a;b=c/@d/x!$'()*,:~[]^`{|}\"<>",
    "http://a.test/a#b?c",
    "http://a.test/?",
    "http://a.test/?a",
    "http://a.test/?a=b&&c=&=d&e=f=g?h/i;j",
    "http://a.test./?q=union&id=1'or'1",
    f"http://a.test/?session={'0123456789abcdef' * 4}",
    f"http://a.test/?{'a=1&' * 64}b=2",
)
DISGUISED = (
    "",
    "/",
    "a.test:443",
    "http://a.test",
    "http://A.test/",
    "ftp://a.test/",
    "http://user@a.test/",
    "http://[::1]/",
    "http://a.test/%2e",
    "http://a.test/a&b",
    "http://a.test/a\\b",
    "http://a.test/a b",
    "http://a.test/é",
    "http://a.test/?a=b+c",
    "http://a.test/?a=%41",
    "http://a.test/?a[]=b",
    "http://a.test/?a;b",
    "http://a.test/?a=1&amp;b=2",
    "http://a.test/?a=PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    "http://a.test/?a=b\nc",
    "http://a.test/\n",
    f"http://a.test/?{'a=1&' * 65}b=2",
    f"http://a.test/{'a' * 3000}",
)
_PIECES = st.sampled_from(
    ["a", "id=", "&", "=", "?", "/", "..", "'", " or ", "1=1", "--", "<script>", "union", "select", ";", "cat", "amp;",
     "/etc/passwd", "${jndi:", "#", "password=", "client_secret=", "dump=", "4111111111111111", "x" * 20, "%27", "+",
     "PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg", "%0a", "\\", "é", "wget", "b64", "[]", "0x7f000001", "http://169.254.169.254/"]
)  # fmt: skip
_TEXTS = st.lists(_PIECES, max_size=14).map("".join)


def as_one_by_one(engine: Engine, method: str, url: str, headers: dict[str, str]) -> bool:
    """Whether the verdict is what looking at each value by itself comes to."""
    one_by_one = (engine.found([value]) for value in values(method, url, headers))
    return engine.judge(method, url, headers) == engine.verdict(frozenset().union(*one_by_one))


@pytest.mark.parametrize("url", PLAIN)
def test_what_is_plain(url: str) -> None:
    assert plain(url) is not None


@pytest.mark.parametrize("url", DISGUISED)
def test_what_takes_more_than_a_look(url: str) -> None:
    assert plain(url) is None


@given(
    st.one_of(_TEXTS, st.text(max_size=60), st.text("abc=&;?/.+%01234567", max_size=80)).map("http://a.test/{}".format)
)
def test_the_parts_are_those_that_are_judged(url: str) -> None:
    found = plain(url)
    if found is None:
        return
    assert (found.host, found.path, found.query) == split("GET", url)
    assert found.path == normal(found.path)
    assert [line for line in found.lines.split("\n") if line] == [value.text for value in pairs(found.query, QUERY)]


def test_the_rules_own_examples_are_judged_as_value_by_value(engine: Engine) -> None:
    for category in load():
        for rule in category.rules:
            for example in (*rule.match, *rule.passes):
                assert as_one_by_one(engine, *request(rule, example)), example


@settings(max_examples=400, deadline=None)
@given(_TEXTS, _TEXTS, st.sampled_from(["", "sqlmap/1.8", "Mozilla/5.0"]), _TEXTS)
def test_any_pieces_are_judged_as_value_by_value(
    engine: Engine, path: str, query: str, agent: str, referer: str
) -> None:
    headers = {"User-Agent": agent, "Referer": f"http://b.test/{referer}"}
    assert as_one_by_one(engine, "GET", f"http://a.test/{path}?{query}", headers)
    assert as_one_by_one(engine, "GET", f"http://a.test/{path}?a=1&b={query}", {})
