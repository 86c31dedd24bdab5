"""Results: what charts, tables and rankings show is what the API says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.e2e.browser.conftest import Dashboard, in_words, lasted, loaded
from tests.e2e.browser.test_every_page import violations
from tests.e2e.browser.test_files import changed, drawn, table, timed
from tests.e2e.browser.test_overview import rows

WINDOW = "window=24h"
RESULTS = f"/api/analytics/results?{WINDOW}"
MEANT = {
    "1": "1xx Interim",
    "2": "2xx Success",
    "3": "3xx Elsewhere",
    "4": "4xx Client's error",
    "5": "5xx Server's error",
}


def test_statuses_and_content_types_are_the_apis(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(f"/results?{WINDOW}")
    data = dashboard.api(RESULTS)["data"]
    statuses = [(f"{row['status_code']:03}", f"{row['requests']:,}") for row in data["statuses"]]
    assert len(statuses) > 5
    assert [row[:3] for row in table(page, "statuses")] == [
        [status, MEANT.get(status[0], "None, or another"), count] for status, count in statuses
    ]
    bars = zip(*drawn(page, "statuses"), strict=True)
    first = sorted(data["statuses"][:14], key=lambda row: int(row["status_code"]))
    assert [[value for value in bar if value is not None] for bar in bars] == [[row["requests"]] for row in first]
    assert [row[:2] + row[-1:] for row in table(page, "types")] == [
        [row["content_type"], f"{row['requests']:,}", lasted(row["mean_ms"])] for row in data["content_types"]
    ]
    assert [row[-1] for row in table(page, "statuses")] == [lasted(row["mean_ms"]) for row in data["statuses"]]
    assert drawn(page, "types") == [[row["requests"] for row in data["content_types"][:14]]]


def test_rankings_are_the_apis(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(f"/results?{WINDOW}")
    data = dashboard.api(RESULTS)["data"]
    users = dashboard.api(f"/api/users/statistics?{WINDOW}")["data"]["users"]
    assert rows(page, "codes") == [
        [row["result_code"], f"{row['requests']:,}", lasted(row["mean_ms"])] for row in data["result_codes"][:10]
    ]
    assert rows(page, "systems") == timed(data["systems"][:10])
    assert rows(page, "browsers") == timed(data["browsers"][:10])
    assert rows(page, "users") == [[row["user"], f"{row['requests']:,}"] for row in users[:10]]
    assert len(users) > 5


def test_hours_are_the_viewers_and_days_are_utc(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/results?window=7d")
    data = dashboard.api("/api/analytics/results?window=7d")["data"]
    shown = table(page, "hours")
    assert [row[0] for row in shown] == [f"{hour:02}:45" for hour in range(24)]  # Kathmandu is 5 h 45 min ahead
    hours = [data["hours_of_day"][(local - 5) % 24] for local in range(24)]
    assert [row[1:] for row in shown] == [
        [f"{row['requests']:,}", f"{row['blocked']:,}", lasted(row["mean_ms"])] for row in hours
    ]
    assert sum(map(sum, drawn(page, "hours"))) == data["total"]
    days = drawn(page, "days")[0]
    assert len(days) == 8
    assert [clients for clients in days if clients] == [row["clients"] for row in data["days"]]
    assert [row[1:] for row in table(page, "days") if row[1] != "0"] == [
        [f"{row['clients']:,}", f"{row['requests']:,}", lasted(row["mean_ms"])] for row in data["days"]
    ]


def test_a_status_leads_to_its_log(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(f"/results?{WINDOW}")
    data = dashboard.api(RESULTS)["data"]
    page.locator("#content summary").first.click()
    page.locator("#statuses-table tbody a").nth(1).click()
    loaded(page)
    row = data["statuses"][1]
    query = parse_qs(urlsplit(page.url).query)
    assert query == {"status": [f"{row['status_code']:03}"], "since": [data["since"]]}
    expect(page.locator("#found")).to_have_text(in_words(row["requests"]))


def test_users_and_results_lead_to_their_log(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(f"/results?{WINDOW}")
    for part in ("users", "codes"):
        count = rows(page, part)[0][1]
        page.locator(f"#{part} a").first.click()
        loaded(page)
        expect(page.locator("#found")).to_have_text(f"{count} requests")
        page.go_back()
        loaded(page)


def test_nothing_at_all_says_what_to_do(open_page: Callable[..., Page]) -> None:
    page = open_page("/")
    nobody: dict[str, list[str]] = {"systems": [], "browsers": [], "result_codes": [], "days": []}
    changed(page, "/api/analytics/results", total=0, statuses=[], content_types=[], **nobody)
    changed(page, "/api/users/statistics", total_users=0, users=[])
    page.goto("/results")
    loaded(page)
    for part in ("statuses", "types", "hours", "days"):
        expect(page.locator(f"#{part}-empty")).to_contain_text("There are no requests in this time.")
    expect(page.locator("#codes")).to_contain_text("There are no requests in this time.")
    expect(page.locator("#users")).to_contain_text("auth_param")
    page.unroute("**/api/analytics/results*")
    changed(page, "/api/analytics/results", content_types=[], systems=[], browsers=[])
    page.reload()
    loaded(page)
    expect(page.locator("#types-empty")).to_contain_text("Tunnels have none")
    expect(page.locator("#browsers")).to_contain_text("proxyweb squid-conf")


def count_of(page: Page, window: str) -> Locator:
    """The button that has the URLs of a window counted."""
    return page.get_by_role("group", name="Count the URLs of").get_by_role("button", name=window, exact=True)


def shown_urls(page: Page) -> list[list[list[str | None]]]:
    """The rows of each ranking."""
    return [
        [[cell.text_content() for cell in row.locator("td").all()] for row in part.locator("tbody tr").all()]
        for part in page.locator("#urls table.ranking").all()
    ]


def expected_urls(data: dict[str, Any]) -> list[list[list[str]]]:
    of_urls = [
        [[row["url"], f"{row['requests']:,}", lasted(row["mean_ms"])] for row in data[part]]
        for part in ("urls", "not_found")
    ]
    named = ("referring_sites", "referrers", "servers")
    return [*of_urls, *([[row["name"], f"{row['count']:,}"] for row in data[part]] for part in named)]


def test_urls_are_counted_when_asked_for(
    open_page: Callable[..., Page], dashboard: Dashboard, complaints: list[str]
) -> None:
    page = open_page(f"/results?{WINDOW}")
    assert page.locator("#urls table").count() == 0
    count_of(page, "24 h").click()
    data = dashboard.api("/api/analytics/urls?window=24h&limit=20")["data"]
    expect(page.locator("#urls-said")).to_contain_text(f"{data['requests']:,} requests that are no tunnels")
    assert shown_urls(page) == expected_urls(data)
    assert page.locator("#content :is(img, script, iframe, object)").count() == 0
    assert violations(page) == []
    busy = '{"status": "error", "detail": "Reading took too long."}'
    slow = {"status": 503, "content_type": "application/json", "body": busy}
    page.route("**/api/analytics/urls*", lambda route: route.fulfill(**slow))
    count_of(page, "1 h").click()
    expect(page.locator("#urls-said")).to_have_text("Reading took too long.")
    assert page.locator("#urls table").count() == 0
    assert {"503" in complaint for complaint in complaints} == {True}
    complaints.clear()


def test_the_longest_requests_by_what_they_have_in_common(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/results")
    count_of(page, "24 h").click()
    data = dashboard.api("/api/analytics/urls?window=24h&limit=20")["data"]["longest"]
    choice = page.get_by_label("Longest requests by")
    expect(choice).to_be_visible()
    options = {option.get_attribute("value"): option.inner_text() for option in choice.locator("option").all()}
    assert list(options) == list(data)
    for name, title in options.items():
        choice.select_option(title)
        if data[name]:
            expect(page.locator(".longest th").first).to_have_text(title)
            rows = page.locator(".longest tbody tr")
            names = [row.locator("td").first.inner_text() for row in rows.all()]
            assert names == [row["name"] for row in data[name]]
            assert [row.locator("td").last.inner_text() for row in rows.all()] == [
                f"{row['count']:,}" for row in data[name]
            ]
        else:
            expect(page.locator(".longest")).to_have_text("No request of this time tells.")
    assert {name for name in data if data[name]} > {"clients", "users", "hosts", "programs", "content_types", "days"}
    assert violations(page) == []


def test_urls_of_a_month_are_waited_for(
    open_page: Callable[..., Page], dashboard: Dashboard, complaints: list[str]
) -> None:
    page = open_page("/results?window=30d")
    count_of(page, "30 d").click()
    expect(page.locator("#urls-said")).to_contain_text("requests are being counted, which takes about 1 s")
    expect(page.locator("#urls-said")).to_contain_text("requests that are no tunnels")
    data = dashboard.api("/api/analytics/urls?window=30d&limit=20")["data"]
    assert shown_urls(page) == expected_urls(data)
    waiting = '{"status": "error", "detail": "Being counted."}'
    slow = {"status": 503, "content_type": "application/json", "body": waiting, "headers": {"Retry-After": "1"}}
    page.route("**/api/analytics/urls?window=all*", lambda route: route.fulfill(**slow))
    count_of(page, "All").click()
    expect(page.locator("#urls-said")).to_have_text("Being counted.")
    count_of(page, "1 h").click()  # another one is not waited for behind it
    expect(page.locator("#urls-said")).to_contain_text("requests that are no tunnels")
    page.wait_for_timeout(1200)
    expect(page.locator("#urls-said")).to_contain_text("requests that are no tunnels")
    assert {"503" in complaint for complaint in complaints} == {True}
    complaints.clear()
