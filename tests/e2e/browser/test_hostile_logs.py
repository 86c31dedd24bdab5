"""Nothing that stands in a log becomes code, on no page: a hundred payloads, in every field that clients choose.

Every page is opened and used twice: on requests with harmless texts, and once the same requests came with payloads.
What elements there are, and which attributes they have, must not be of a kind that the harmless page does not have.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Page

from proxyweb.dashboard.pages import PAGES
from proxyweb.demo.generate import generate
from proxyweb.ingest.record import WafVerdict
from tests.e2e.browser.conftest import OPEN_EVERYTHING, Dashboard, cookie_of, loaded, running
from tests.e2e.browser.payloads import PAYLOADS
from tests.ingest.factory import Request, log
from tests.test_supervisor import wait_for

CLIENT = '"><svg\tonload=alert(1)>'  # without a slash, which a path would not hold
TYPED = ("search", "domain", "user", "category", "status", "q", "name")
SHAPES = """
    [...new Set([...document.querySelectorAll("*")].map((node) =>
        `${node.localName} ${node.getAttributeNames().sort().join(" ")}`))]
"""
ADDRESSES = """
    [...document.querySelectorAll("[href], [src], [action], [formaction], [data]")].flatMap((node) =>
        ["href", "src", "action", "formaction", "data"].map((name) => node.getAttribute(name)).filter(Boolean))
"""


def requests(texts: tuple[str, ...], client: str, now: float) -> Iterator[Request]:
    """Blocked by the WAF now, and passed an hour ago: a text in all that a client chooses, and in what was found."""
    for number, text in enumerate(texts):
        raw = re.sub(r"[ \r\n]", "\t", text)
        host = re.sub(r"[/?#:@\\]", "\t", raw)
        passed = Request(
            time_ms=int((now - 3600 - number) * 1000), client=client if number % 2 else raw, method=raw,
            url=f"http://{host}/{raw}?{raw}", user=text, user_agent=text, referer=text, content_type=text,
        )  # fmt: skip
        yield passed
        yield Request(
            **{**passed.__dict__, "time_ms": int(now * 1000) - number, "result_code": "TCP_DENIED",
               "status": 403, "hierarchy": "HIER_NONE", "peer": "", "waf": WafVerdict(7, text, "rule-1")},
        )  # fmt: skip


def harmless(path: Path) -> None:
    """Ordinary requests of a day, and those of the payloads with words in their place."""
    now = time.time()
    generate(path, lines=3000, log_format="proxyweb", days=1, end=int(now - 600))
    odd = [Request(time_ms=int(now * 1000), url=url, waf=WafVerdict(7, "", "rule-1"), status=403,
                   result_code="TCP_DENIED") for url in ("http://:80*", "urn:foo:bar", "nothing", "*")]  # fmt: skip
    texts = tuple(f"text{number}" for number in range(len(PAYLOADS)))
    with path.open("ab") as history:
        history.write(log(*odd, *requests(texts, "pc.local", now), log_format="proxyweb"))


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    with running(tmp_path_factory.mktemp("hostile"), harmless) as dashboard:
        yield dashboard


@pytest.fixture(scope="module")
def session(dashboard: Dashboard) -> dict[str, str]:
    return cookie_of(dashboard)


def use(page: Page, path: str) -> set[str]:
    """Open a page, open what opens on it, point at its charts, sort; what kinds of elements it had meanwhile."""
    page.goto(path)
    loaded(page)
    page.evaluate(OPEN_EVERYTHING)
    found = set(page.evaluate(SHAPES))
    for chart in page.locator("#content canvas").all():
        box = chart.bounding_box()
        assert box
        chart.scroll_into_view_if_needed()
        for part in (0.2, 0.5, 0.95):
            chart.hover(position={"x": box["width"] * part, "y": box["height"] / 2})
    found |= set(page.evaluate(SHAPES))
    sorter = page.locator("#content th a, #content th button").last
    if sorter.count():
        sorter.click()
        loaded(page)
        page.locator("[aria-busy]").wait_for(state="detached")
        page.evaluate(OPEN_EVERYTHING)
        found |= set(page.evaluate(SHAPES))
    led = [where for where in page.evaluate(ADDRESSES) if not re.match(r"/(?!/)|[?#]", where)]
    assert led == [], f"{path} leads elsewhere"
    return found


def everywhere(page: Page, client: str, typed: str) -> dict[str, set[str]]:
    """What kinds of elements each page has, also with a text in its address, which it may refuse."""
    found = {}
    for shell in PAGES:
        path = re.sub("<[^>]+>", quote(client, safe=""), shell.path)
        found[shell.name] = use(page, path)
        page.goto(f"{path}?{urlencode(dict.fromkeys(TYPED, typed))}")
        page.locator("#state:has-text('Updated'), #trouble:not([hidden])").first.wait_for()
        found[shell.name] |= set(page.evaluate(SHAPES))
    return found


def test_there_are_a_hundred_payloads() -> None:
    assert len(set(PAYLOADS)) == 100


def test_no_page_takes_a_text_for_code(
    open_page: Callable[..., Page], dashboard: Dashboard, complaints: list[str]
) -> None:
    page = open_page()
    before = everywhere(page, "pc.local", "text1")
    total = dashboard.api("/api/logs/stats")["data"]["total_count"]
    dashboard.append(log(*requests(PAYLOADS, CLIENT, time.time()), log_format="proxyweb"))
    wait_for(lambda: dashboard.api("/api/logs/stats")["data"]["total_count"] == total + 2 * len(PAYLOADS), 15)
    after = everywhere(page, CLIENT, PAYLOADS[0])
    assert {name: shapes - before[name] for name, shapes in after.items() if shapes - before[name]} == {}
    page.goto("/logs")
    loaded(page)
    page.evaluate(OPEN_EVERYTHING)
    shown = page.locator("#entries").text_content() or ""
    assert [text for text in PAYLOADS if text not in shown] == [], "not even as a text"
    complaints[:] = [text for text in complaints if "status of 400" not in text]
