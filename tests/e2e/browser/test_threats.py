"""Threats shows what the WAF inspected and found, switches its categories, and tries patterns out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.browser.conftest import Dashboard, loaded
from tests.e2e.browser.test_every_page import violations
from tests.e2e.browser.test_overview import rows

PATH = "/threats"


def categories(dashboard: Dashboard) -> dict[str, dict[str, Any]]:
    """What the API says, by name."""
    return {row["name"]: row for row in dashboard.api("/api/waf/categories")["data"]}


def category(page: Page, name: str) -> Any:
    return page.locator(f"[data-category='{name}']")


@pytest.fixture
def settings(dashboard: Dashboard) -> Iterator[Callable[..., None]]:
    """Changes settings, and back when the test is over."""
    before = {row["setting_name"]: row["setting_value"] for row in dashboard.api("/api/settings")["data"]}
    changed: set[str] = set()

    def change(**values: str) -> None:
        changed.update(values)
        dashboard.change("POST", "/api/settings", values)

    yield change
    dashboard.change("POST", "/api/settings", {name: before[name] for name in changed})


def test_its_figures_are_the_apis(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(PATH)
    stats = dashboard.api("/api/waf/stats")["data"]
    assert stats["total_blocked"] > 50
    expect(page.locator("#inspected")).to_have_text(f"{stats['total_requests']:,}")
    expect(page.locator("#inspected-beside")).to_have_text(f"by {stats['rules_enabled']} of {stats['rules']} rules")
    expect(page.locator("#blocked")).to_have_text(f"{stats['total_blocked']:,}")
    expect(page.locator("#blocked-beside")).to_have_text(re.compile(rf"^{stats['block_rate_pct']:.1f}% of inspected"))
    expect(page.locator("#entropy")).to_have_text(f"{stats['avg_url_entropy']:.2f} bits")
    expect(page.locator("#entropy-beside")).to_have_text(f"mean; {stats['high_entropy_count']} above 5.5")
    for part, field in (("categories", "categories"), ("destinations", "destinations"), ("agents", "user_agents")):
        expected = [[row["key"].replace("_", " "), f"{row['count']:,}"] for row in stats[f"top_blocked_{field}"
                    if field == "categories" else f"top_{field}"]]  # fmt: skip
        assert rows(page, f"top-{part}") == expected != []
    page.get_by_text("As a table").click()
    hours = dashboard.api("/api/logs/timeline?hours=72")["data"]
    assert [row[1:] for row in rows(page, "timeline-table")] == [
        [f"{hour['blocked']:,}", f"{hour['total']:,}"] for hour in hours
    ]
    recent = dashboard.api("/api/logs?reason=waf&limit=10")["data"]
    assert [row[2] for row in rows(page, "recent")] == [row["destination"] for row in recent]


def test_every_category_is_there_with_what_it_is_after(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(PATH)
    of_api = categories(dashboard)
    assert len(of_api) > 20
    assert page.locator("[data-category]").count() == len(of_api)
    for name, row in of_api.items():
        shown = category(page, name)
        for column in ("rules", "matches", "blocked"):
            expect(shown.locator(f".waf-{column}")).to_have_text(f"{row[column]:,}")
        described = " ".join(shown.locator(".waf-description").evaluate("node => node.textContent").split())
        assert row["description"].replace(" ", "") in described.replace(" ", "")
        expect(shown.get_by_role("switch")).to_have_count(1 if row["rules"] else 0)


def test_a_window_is_chosen_in_the_address(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(f"{PATH}?window=1h")
    hour, ever = (dashboard.api(f"/api/waf/stats?window={window}")["data"] for window in ("1h", "all"))
    assert hour["total_requests"] < ever["total_requests"]
    expect(page.locator("#inspected")).to_have_text(f"{hour['total_requests']:,}")
    page.get_by_role("button", name="All", exact=True).click()
    expect(page).to_have_url(re.compile(r"window=all$"))
    expect(page.locator("#inspected")).to_have_text(f"{ever['total_requests']:,}")
    page.locator("#top-destinations a").first.click()
    expect(page).to_have_url(re.compile(r"/logs\?domain=shop\.example&reason=waf$"))


def test_switching_a_category(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(PATH)
    switch = page.get_by_role("switch", name="Look for SSRF")
    expect(switch).to_be_checked()
    switch.focus()
    for enabled, said in ((False, "on → off"), (True, "off → on")):
        page.keyboard.press("Space")
        expect(category(page, "SSRF").get_by_role("status")).to_have_text("In force within 2 s")
        expect(switch).to_be_checked(checked=enabled)
        assert categories(dashboard)["SSRF"]["enabled"] is enabled
        newest = dashboard.api("/api/audit-log?limit=1")["data"][0]
        assert (newest["username"], newest["target"], newest["details"]) == ("admin", "SSRF", said)
        page.reload()
        loaded(page)
        expect(switch).to_be_checked(checked=enabled)
        switch.focus()


def test_a_switch_that_is_refused_goes_back(open_page: Callable[..., Page], complaints: list[str]) -> None:
    page = open_page(PATH)
    sentence = "The database is busy; try again in a moment."

    def busy(route: Route) -> None:
        route.fulfill(status=503, json={"status": "error", "detail": sentence})

    page.route("**/api/waf/categories/toggle", busy)
    switch = page.get_by_role("switch", name="Look for XXE")
    switch.click()
    expect(category(page, "XXE").get_by_role("status")).to_have_text(sentence)
    expect(switch).to_be_checked()
    assert "503" in complaints.pop()


def test_a_viewer_sees_no_switch_and_may_try_a_pattern(open_as_viewer: Callable[..., Page]) -> None:
    page = open_as_viewer(PATH)
    expect(page.get_by_role("switch")).to_have_count(0)
    expect(category(page, "XXE").locator(".waf-switch")).to_have_text("On")
    page.get_by_label("Pattern").fill("evil")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#trial-result")).to_contain_text("would have blocked requests")


def test_it_says_what_the_waf_does(open_page: Callable[..., Page], settings: Callable[..., None]) -> None:
    page = open_page(PATH)
    state = page.locator("#waf-state")
    expect(state).to_contain_text("Off")
    expect(state).to_contain_text("proxyweb squid-conf")
    expect(state).to_contain_text("waf_score_log")
    expect(state.get_by_role("link", name="To the settings")).to_have_attribute("href", "/settings")
    for mode, words in (("detect", "On, and only notes"), ("block", "On, and blocks")):
        settings(enable_waf="true", waf_mode=mode, waf_threshold="7")
        page.reload()
        loaded(page)
        expect(state).to_contain_text(words)
        expect(state).to_contain_text("What scores 7 or more")


def test_where_nothing_was_blocked_it_says_what_that_means(
    open_page: Callable[..., Page], dashboard: Dashboard
) -> None:
    page = open_page()
    stats = dashboard.api("/api/waf/stats")["data"]
    nothing = {name: [] if isinstance(value, list) else value for name, value in stats.items()}
    page.route("**/api/waf/stats?*", lambda route: route.fulfill(json={"status": "success", "data": nothing}))
    page.route("**/api/logs?*", lambda route: route.fulfill(json={"status": "success", "data": []}))
    page.goto(PATH)
    loaded(page)
    expect(page.locator("#top-categories")).to_contain_text("It blocks only while it is on, in the mode block.")
    expect(page.locator("#top-destinations")).to_contain_text("Choose a longer one to see more.")
    expect(page.locator("#top-agents")).to_contain_text("proxyweb squid-conf sets a format that does.")
    expect(page.locator("#recent")).to_contain_text("The WAF blocked nothing yet.")


def test_a_pattern_is_tried_on_the_log(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(PATH)
    pattern = page.get_by_label("Pattern")
    pattern.fill("evil.example/.*(svg|img)")
    page.get_by_label("On the requests of").select_option("Last 72 hours")
    pattern.press("Enter")
    result = page.locator("#trial-result")
    expect(result).to_contain_text("would have blocked requests")
    tried = dashboard.change("POST", "/api/waf/test-rule", {"regex": "evil.example/.*(svg|img)", "hours": 72})["data"]
    assert result.locator("dd").all_inner_texts() == [f"{tried['scanned']:,}", f"{tried['matched']:,}"]
    assert result.locator("li").all_inner_texts() == tried["examples"]
    assert any("<svg" in example for example in tried["examples"])
    assert result.locator("svg, img").count() == 0
    assert violations(page) == []
    pattern.fill("nothing is called like this")
    pattern.press("Enter")
    expect(result).to_contain_text("would have blocked nothing")


@pytest.mark.parametrize("pattern", ["(unclosed", "a*"])
def test_a_pattern_that_is_refused_says_why(
    open_page: Callable[..., Page], dashboard: Dashboard, complaints: list[str], pattern: str
) -> None:
    page = open_page(PATH)
    page.get_by_label("Pattern").fill(pattern)
    page.get_by_role("button", name="Try it").click()
    sentence = dashboard.change("POST", "/api/waf/test-rule", {"regex": pattern, "hours": 24})["detail"]
    expect(page.locator("#trial-trouble")).to_have_text(sentence)
    expect(page.get_by_label("Pattern")).to_have_attribute("aria-invalid", "true")
    assert "400" in complaints.pop()
