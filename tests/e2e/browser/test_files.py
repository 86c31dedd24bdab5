"""Files, programs, cache and traffic: what charts and tables show is what the API says."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Route, expect

from tests.e2e.browser.conftest import Dashboard, in_words, lasted, loaded
from tests.e2e.browser.test_overview import rows

WINDOW = "window=24h"


def table(page: Page, chart: str) -> list[list[str]]:
    """A chart's table, which need not be open."""
    found = page.locator(f"#{chart}-table tbody tr").all()
    return [row.locator("td").all_text_contents() for row in found]


def drawn(page: Page, chart: str) -> list[list[float]]:
    """The values that a chart has drawn, series by series."""
    script = "(id) => Chart.getChart(`${id}-canvas`).data.datasets.map((series) => series.data)"
    values: list[list[float]] = page.evaluate(script, chart)
    return values


def timed(counted: list[dict[str, Any]]) -> list[list[str]]:
    """What a ranking shows of the API's rows."""
    return [[row["name"], f"{row['count']:,}", lasted(row["mean_ms"])] for row in counted]


def changed(page: Page, path: str, **changes: Any) -> None:
    """Let the API answer with other values."""

    def answer(route: Route) -> None:
        response = route.fetch()
        body = response.json()
        body["data"].update(changes)
        route.fulfill(response=response, json=body)

    page.route(f"**{path}*", answer)


def test_files_are_the_apis(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(f"/files?{WINDOW}")
    data = dashboard.api(f"/api/analytics/file-extensions?{WINDOW}")["data"]
    assert [row[:2] + row[-1:] for row in table(page, "extensions")] == [
        [row["ext"], f"{row['count']:,}", lasted(row["mean_ms"])] for row in data["extensions"]
    ]
    assert drawn(page, "extensions") == [[row["count"] for row in data["extensions"][:15]]]
    assert [[row[1], row[-1]] for row in table(page, "categories")] == [
        [f"{row['count']:,}", lasted(row["mean_ms"])] for row in data["categories"]
    ]
    assert drawn(page, "categories") == [[row["count"] for row in data["categories"]]]
    assert "no extension" in [row[0] for row in table(page, "categories")]


def test_programs_are_the_apis(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(f"/files?{WINDOW}")
    data = dashboard.api(f"/api/analytics/user-agents?{WINDOW}")["data"]
    assert rows(page, "agents") == timed(data["user_agents"][:14])
    assert [row[:2] + row[-1:] for row in table(page, "types")] == timed(data["service_types"])
    assert sum(drawn(page, "types")[0]) == sum(row["count"] for row in data["service_types"])
    assert rows(page, "methods") == timed(data["methods"][:8])
    expect(page.locator("#coverage")).to_have_text(
        re.compile(r"^The user agent of 9\d(\.\d)?% of requests is known\.$")
    )


def test_the_window_is_in_the_address(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/files?period=week")
    page.get_by_role("button", name="1 h", exact=True).click()
    expect(page).to_have_url(re.compile(r"/files\?window=1h&period=week$"))
    cache = dashboard.api("/api/cache/statistics?window=1h")["data"]
    facts = page.locator("#cache dd")
    expect(facts.nth(0)).to_have_text(f"{cache['requests']:,}")
    expect(facts.nth(1)).to_have_text(f"{cache['hits']:,}")
    expect(facts.nth(2)).to_have_text(f"{cache['misses']:,}")
    expect(page.get_by_role("button", name="Week")).to_have_attribute("aria-pressed", "true")


def test_traffic_is_the_apis_in_every_period(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/files")
    for period, buckets in (("month", 30), ("week", 7), ("day", 24)):
        page.get_by_role("button", name=period.title(), exact=True).click()
        expect(page.locator("#requests-table tbody tr")).to_have_count(buckets)
        data = dashboard.api(f"/api/traffic/statistics?period={period}")["data"]
        assert [row[1:] for row in table(page, "requests")] == [
            [f"{all_:,}", f"{blocked:,}"] for all_, blocked in zip(data["requests"], data["blocked"], strict=True)
        ]
        passed = [all_ - blocked for all_, blocked in zip(data["requests"], data["blocked"], strict=True)]
        assert drawn(page, "requests") == [data["blocked"], passed]
        assert drawn(page, "bytes") == [data["inbound"], data["outbound"]]


def test_a_bucket_leads_to_its_log(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/files?period=week")
    data = dashboard.api("/api/traffic/statistics?period=week")["data"]
    page.locator("#content summary").nth(3).click()
    page.locator("#requests-table tbody a").nth(5).click()
    loaded(page)
    assert parse_qs(urlsplit(page.url).query)["since"] == [data["labels"][5]]
    expect(page.locator("#found")).to_have_text(in_words(data["requests"][5]))


def test_a_method_leads_to_its_log(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(f"/files?{WINDOW}")
    data = dashboard.api(f"/api/analytics/user-agents?{WINDOW}")["data"]
    page.locator("#methods a").nth(1).click()
    loaded(page)
    assert parse_qs(urlsplit(page.url).query) == {"method": [data["methods"][1]["name"]], "since": [data["since"]]}
    expect(page.locator("#found")).to_have_text(in_words(data["methods"][1]["count"]))


def test_what_squids_default_format_lacks_is_told(open_page: Callable[..., Page]) -> None:
    page = open_page("/")
    changed(page, "/api/analytics/user-agents", coverage=0, service_types=[], user_agents=[])
    changed(page, "/api/traffic/statistics", outbound_known=False)
    page.goto("/files")
    loaded(page)
    expect(page.locator("#coverage")).to_contain_text("Squid's default log format has none")
    expect(page.locator("#coverage code")).to_have_text("proxyweb squid-conf")
    expect(page.locator("#types-empty")).to_have_text("No user agent is in the log of this time.")
    expect(page.locator("#types-canvas")).to_be_hidden()
    expect(page.locator("#traffic-note")).to_contain_text("How much clients sent is not known")
    assert len(drawn(page, "bytes")) == 1
    page.unroute("**/api/traffic/statistics*")
    page.get_by_role("button", name="Hour", exact=True).click()
    expect(page.locator("#traffic-note")).to_have_text("\u00a0")
    assert len(drawn(page, "bytes")) == 2


def test_nothing_at_all_says_what_to_do(open_page: Callable[..., Page]) -> None:
    page = open_page("/")
    changed(page, "/api/analytics/file-extensions", total=0, extensions=[], categories=[])
    changed(page, "/api/traffic/statistics", requests=[0] * 24, blocked=[0] * 24)
    page.goto("/files")
    loaded(page)
    for part in ("extensions", "categories"):
        expect(page.locator(f"#{part}-empty")).to_contain_text("There are no requests in this time.")
    expect(page.locator("#requests-empty")).to_contain_text("Choose a longer period")
