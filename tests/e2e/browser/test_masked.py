"""With masking on, no page shows whose traffic it is, and two processes hide everybody behind the same names."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response

from proxyweb.dashboard.pages import PAGES
from tests.e2e.browser.conftest import OPEN_EVERYTHING, PASSWORD, Dashboard, cookie_of, loaded, running
from tests.security.canaries import SPELLINGS, UNMISTAKABLE, canaries

HELD = "[document.documentElement.outerHTML, JSON.stringify(localStorage), JSON.stringify(sessionStorage)].join()"
SECRET = re.compile(rf"\$argon2|{PASSWORD}")


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    def write(path: Path) -> None:
        path.write_bytes(canaries(time.time()))

    with running(tmp_path_factory.mktemp("masked"), write) as dashboard:
        yield dashboard


@pytest.fixture(scope="module")
def session(dashboard: Dashboard) -> dict[str, str]:
    return cookie_of(dashboard)


def held_by(page: Page, path: str) -> str:
    """All that a page has once everything on it is open, and what its charts say where one points at them."""
    page.goto(path)
    loaded(page)
    page.evaluate(OPEN_EVERYTHING)
    for chart in page.locator("#content canvas").all():
        if chart.is_visible():
            chart.hover()
    return str(page.evaluate(HELD))


def test_no_page_shows_a_spelling_or_a_secret(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page()
    assert UNMISTAKABLE.search(held_by(page, "/logs")), "so this test would find them"
    dashboard.change("PUT", "/api/settings/gdpr_mode", {"value": True})
    client = dashboard.api("/api/logs")["data"][0]["client_ip"]
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    for shell in PAGES:
        answers.clear()
        held = held_by(page, re.sub("<[^>]+>", client, shell.path))
        assert not UNMISTAKABLE.search(held), shell.path
        assert not SECRET.search(held), shell.path
        told = [answer for answer in answers if "/api/" in answer.url]
        assert told
        assert [answer.url for answer in told if UNMISTAKABLE.search(answer.text())] == []


def test_each_process_hides_everybody_behind_the_same_names(dashboard: Dashboard) -> None:
    """Each request has a connection of its own, and the two workers take turns."""
    dashboard.change("PUT", "/api/settings/gdpr_mode", {"value": True})
    seen = {
        tuple((entry["client_ip"], entry["user"]) for entry in dashboard.api("/api/logs")["data"]) for _ in range(20)
    }
    (names,) = seen
    assert len(names) == len(SPELLINGS)
    assert len({user for _, user in names}) == 1
