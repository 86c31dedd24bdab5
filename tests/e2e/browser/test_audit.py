"""The audit log: what the API has, page by page, in the viewer's zone."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.browser.conftest import PHONE, Dashboard, pass_time

PAGE = 50


def cells(page: Page, name: str) -> list[str]:
    return page.locator(f"#entries .audit-{name}:is(td)").all_inner_texts()


def test_it_shows_what_was_done_page_by_page(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    for number in range(PAGE + 5):
        dashboard.change("PUT", "/api/settings/rate_limit_connections", {"value": 200 + number})
    page = open_page("/audit")
    entries, total = (dashboard.api("/api/audit-log?limit=200")[name] for name in ("data", "total"))
    assert total > PAGE
    expect(page.locator("#found")).to_have_text(f"1 to {PAGE} of {total}")
    assert cells(page, "target") == [entry["target"] for entry in entries[:PAGE]]
    assert cells(page, "details") == [entry["details"] for entry in entries[:PAGE]]
    assert cells(page, "user") == [entry["username"] for entry in entries[:PAGE]]
    page.get_by_role("button", name="Older").click()
    expect(page).to_have_url(re.compile(rf"/audit\?offset={PAGE}$"))
    expect(page.locator("#found")).to_contain_text(f"{PAGE + 1} to ")
    assert cells(page, "action") == [entry["action"] for entry in entries[PAGE : 2 * PAGE]]
    page.go_back()
    expect(page.locator("#found")).to_have_text(f"1 to {PAGE} of {total}")
    page.goto(f"/audit?offset={PAGE}")
    page.get_by_role("button", name="Newest").click()
    expect(page.locator("#found")).to_have_text(f"1 to {PAGE} of {total}")
    expect(page.get_by_role("button", name="Newer")).to_be_disabled()


def test_times_are_the_viewers_with_utc_beside_them(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/audit")
    utc = dashboard.api("/api/audit-log?limit=1")["data"][0]["timestamp"]
    first = page.locator("#entries time").first
    assert first.get_attribute("title") == f"{utc} UTC"
    hour, minute, second = map(int, utc[11:].split(":"))
    minutes = hour * 60 + minute + 345  # Kathmandu is 5 h 45 min ahead
    assert f"{minutes // 60 % 24:02}:{minutes % 60:02}:{second:02}" in first.inner_text()


def test_new_entries_show_by_themselves(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/audit", viewport=PHONE, clocked=True)
    added = dashboard.change("POST", "/api/domain-blacklist", {"domain": "x.example", "description": "<i>text</i>"})
    pass_time(page, 20)
    expect(page.locator("#entries tbody tr").first).to_contain_text("<i>text</i>")
    dashboard.change("DELETE", f"/api/domain-blacklist/{added['id']}")


def test_a_page_that_is_gone_says_so(open_page: Callable[..., Page]) -> None:
    page = open_page("/audit?offset=100000")
    expect(page.locator("#entries")).to_have_text("There is nothing on this page any more.")
    page.get_by_role("button", name="Newest").click()
    expect(page.locator("#entries tbody tr").first).to_be_visible()
