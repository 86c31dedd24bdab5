"""The overview shows what the API says, and keeps showing it."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.e2e.browser import traffic
from tests.e2e.browser.conftest import SERVED_ON_SECONDS, Dashboard, loaded, pass_time
from tests.test_supervisor import wait_for


def rows(page: Page, part: str) -> list[list[str]]:
    """The texts of a table's cells, row by row."""
    return [
        [cell.strip() for cell in row.locator("td").all_inner_texts()]
        for row in page.locator(f"#{part} tbody tr").all()
    ]


def test_its_figures_are_the_apis(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page()
    summary = dashboard.api("/api/dashboard/summary")["data"]
    assert summary["blocked_requests"] > 100
    expect(page.locator("#requests")).to_have_text(f"{summary['today_requests']:,}")
    expect(page.locator("#requests-beside")).to_have_text(f"{summary['total_requests']:,} in all")
    expect(page.locator("#blocked")).to_have_text(f"{summary['today_blocked']:,}")
    expect(page.locator("#blocked-beside")).to_have_text(f"{summary['blocked_requests']:,} in all")
    assert rows(page, "top-blocked") == [[row["dest"], f"{row['count']:,}"] for row in summary["top_blocked"]]
    assert rows(page, "top-clients") == [[row["ip"], f"{row['count']:,}"] for row in summary["top_clients"]]
    assert len(summary["threat_categories"]) == len(traffic.CATEGORIES)
    assert [int(row[1]) for row in rows(page, "threats")] == [row["count"] for row in summary["threat_categories"]]
    assert [row[2] for row in rows(page, "recent")] == [row["destination"] for row in summary["recent_blocks"]]
    expect(page.locator("#score")).to_contain_text(f"{summary['score']['score']} of 100")
    for advice in summary["score"]["recommendations"]:
        expect(page.locator("#score")).to_contain_text(advice)
    page.get_by_text("As a table").click()
    hours = rows(page, "timeline-table")
    assert [row[1:3] for row in hours] == [
        [f"{hour['total']:,}", f"{hour['blocked']:,}"] for hour in summary["timeline"]
    ]


def test_advice_without_room_unfolds_and_stays_so(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(clocked=True)
    least = page.locator("#score").get_by_text(dashboard.api("/api/security/score")["data"]["recommendations"][-1])
    expect(least).to_be_hidden()
    place = "document.getElementById('recent').getBoundingClientRect().top + scrollY"
    below = page.evaluate(place)
    page.locator("#score summary").focus()
    page.keyboard.press("Enter")
    expect(least).to_be_visible()
    before = dashboard.api("/api/dashboard/summary")["data"]["total_requests"]
    dashboard.append(traffic.passing(time.time(), 3))
    wait_for(lambda: dashboard.api("/api/logs/stats")["data"]["total_count"] == before + 1)
    pass_time(page, 20)
    expect(page.locator("#requests-beside")).to_have_text(f"{before + 1:,} in all")
    expect(least).to_be_visible()
    assert page.evaluate("document.activeElement.nodeName") == "SUMMARY"
    assert page.evaluate(place) == below


def test_times_are_the_viewers_with_utc_beside_them(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page()
    utc = dashboard.api("/api/dashboard/summary")["data"]["recent_blocks"][0]["timestamp"]
    first = page.locator("#recent time").first
    assert first.get_attribute("title") == f"{utc} UTC"
    hour, minute, second = map(int, utc[11:].split(":"))
    minutes = hour * 60 + minute + 345  # Kathmandu is 5 h 45 min ahead
    assert f"{minutes // 60 % 24:02}:{minutes % 60:02}:{second:02}" in first.inner_text()


def test_new_requests_show_by_themselves(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(clocked=True)
    before = dashboard.api("/api/dashboard/summary")["data"]["total_requests"]
    dashboard.append(*(traffic.passing(time.time(), number) for number in range(3)))
    wait_for(lambda: dashboard.api("/api/logs/stats")["data"]["total_count"] == before + 3)
    pass_time(page, 20)
    expect(page.locator("#requests-beside")).to_have_text(f"{before + 3:,} in all")
    expect(page.locator("#ingest")).to_have_text("Up to date")


def test_what_has_not_changed_is_not_sent_again(open_page: Callable[..., Page]) -> None:
    seconds = time.time() % 60
    time.sleep(SERVED_ON_SECONDS if seconds < 40 else 61 - seconds)  # a new minute is a change
    page = open_page()  # a clock that can be wound forward has no entries
    entries = "performance.getEntriesByType('resource').filter((entry) => entry.name.endsWith('/summary'))"
    wait_for(lambda: page.evaluate(f"{entries}.length") >= 2, 15)
    first, *_, last = page.evaluate(f"{entries}.map((entry) => entry.transferSize)")
    assert first > 3000
    assert last < 1000


def test_nobody_is_asked_while_the_page_is_hidden(open_page: Callable[..., Page]) -> None:
    page = open_page(clocked=True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    hide = "Object.defineProperty(document, 'hidden', { value: %s, configurable: true })"
    changed = "document.dispatchEvent(new Event('visibilitychange'))"
    page.evaluate(f"{hide % 'true'}; {changed}")
    pass_time(page, 120)
    page.wait_for_timeout(200)
    assert asked == []
    page.evaluate(f"{hide % 'false'}; {changed}")
    page.wait_for_timeout(500)
    assert len(asked) == 3


def test_trouble_is_told_and_ends_by_itself(open_page: Callable[..., Page], complaints: list[str]) -> None:
    page = open_page(clocked=True)
    body = '{"status": "error", "detail": "The database is busy; try again in a moment."}'

    def busy(route: Route) -> None:
        route.fulfill(status=503, content_type="application/json", body=body)

    page.route("**/api/dashboard/summary", busy)
    trouble = page.locator("#trouble")
    pass_time(page, 20)
    expect(trouble).to_contain_text("The database is busy")
    page.unroute("**/api/dashboard/summary")
    trouble.get_by_role("button", name="Try again").click()
    expect(trouble).to_be_hidden()
    loaded(page)
    assert {"503" in complaint for complaint in complaints} == {True}
    complaints.clear()


def test_hostile_texts_are_only_texts(open_page: Callable[..., Page]) -> None:
    page = open_page()
    for text in traffic.HOSTILE:
        expect(page.locator("#recent")).to_contain_text(f"http://evil.example/{text}")
    assert page.locator("#content :is(img, script, iframe, object)").count() == 0
