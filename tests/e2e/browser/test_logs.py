"""The log: filters in the address, pages, order, details, export, live tail."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import traffic
from tests.e2e.browser.conftest import Dashboard, in_words, opened, pass_time
from tests.e2e.browser.test_every_page import violations
from tests.test_supervisor import wait_for

BLOCKED = "/logs?blocked=true"


def ids(page: Page) -> list[int]:
    """The rows that are shown, by their ids."""
    return [
        int(row) for row in page.locator("#entries tr[data-id]").evaluate_all("rows => rows.map(row => row.dataset.id)")
    ]


def of_api(dashboard: Dashboard, query: str) -> list[int]:
    return [row["id"] for row in dashboard.api(f"/api/logs?{query}")["data"]]


def test_the_address_says_what_is_shown(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/logs?blocked=true&reason=waf&sort=bytes&order=asc")
    assert ids(page) == of_api(dashboard, "blocked=true&reason=waf&sort=bytes&order=asc") != []
    total = dashboard.api("/api/logs?blocked=true&reason=waf&limit=1")["total"]
    expect(page.locator("#found")).to_have_text(in_words(total))
    expect(page.get_by_label("Outcome")).to_have_value("true")
    expect(page.get_by_label("Reason")).to_have_value("waf")
    expect(page.get_by_role("columnheader", name="Traffic")).to_have_attribute("aria-sort", "ascending")


def test_a_value_is_a_filter_and_back_takes_it_off(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(BLOCKED)
    before = ids(page)
    client = page.locator("#entries tbody .logs-client_ip a").last
    address = client.inner_text()
    client.click()
    expect(page).to_have_url(re.compile(re.escape(f"/logs?blocked=true&client={address}")))
    expect(page.get_by_label("Client or network")).to_have_value(address)
    expect(
        page.locator("#entries tbody .logs-client_ip a", has_text=re.compile(f"^(?!{re.escape(address)}$)"))
    ).to_have_count(0)
    assert ids(page) == of_api(dashboard, f"blocked=true&client={address}")
    page.go_back()
    expect(page.get_by_label("Client or network")).to_have_value("")
    expect(page.locator("#entries tr[data-id]")).to_have_count(len(before))
    assert ids(page) == before


def test_the_form_filters(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/logs")
    page.get_by_label("In the destination").fill("evil.example")
    page.get_by_label("Time", exact=True).select_option("Last 24 hours")
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile(r"/logs\?search=evil\.example&since=-24h$"))
    expect(page.locator("#found")).to_have_text(f"{len(traffic.HOSTILE)} requests")
    page.get_by_role("link", name="Clear").click()
    expect(page).to_have_url(re.compile(r"/logs$"))
    page.get_by_label("Time", exact=True).select_option("From … to …")
    page.get_by_label("From", exact=True).fill("2026-01-01T05:45")
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile(r"since=2026-01-01\+00%3A00%3A00$"))
    expect(page.get_by_label("From", exact=True)).to_have_value(re.compile("2026-01-01T05:45"))


def test_pages_follow_each_other(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/logs")
    expected = of_api(dashboard, "limit=200")
    assert ids(page) == expected[:100]
    page.get_by_role("button", name="Next", exact=True).click()
    page.wait_for_url("**/logs?cursor=*")
    expect(page.locator(f"tr[data-id='{expected[100]}']")).to_be_visible()
    assert ids(page) == expected[100:]
    page.get_by_role("button", name="First page").click()
    expect(page.locator(f"tr[data-id='{expected[0]}']")).to_be_visible()


def test_a_heading_sorts(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(BLOCKED)
    heading = page.get_by_role("columnheader", name="Traffic")
    for order in ("desc", "asc"):
        heading.get_by_role("link").click()
        expect(heading).to_have_attribute("aria-sort", f"{order}ending")
        assert ids(page) == of_api(dashboard, f"blocked=true&sort=bytes&order={order}")


def test_a_row_says_everything_and_why_it_was_blocked(open_page: Callable[..., Page]) -> None:
    page = open_page("/logs?reason=waf")
    switch = page.locator("#entries .logs-switch").first
    switch.focus()
    page.keyboard.press("Enter")
    details = page.locator(".logs-details").first
    expect(switch).to_have_attribute("aria-expanded", "true")
    expect(details).to_contain_text("The web application firewall found an attack or a leak in it.")
    expect(details).to_contain_text("curl/8.5.0")
    page.keyboard.press("Enter")
    expect(details).to_be_hidden()


@pytest.mark.usefixtures("unblocked")
def test_a_row_blocks_its_host(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/logs?domain=shop.example")
    page.locator("#entries .logs-switch").first.click()
    details = page.locator(".logs-details").first
    expect(details.get_by_role("button")).to_have_text(
        [re.compile("^Block shop.example$"), re.compile(r"^Block 10\.9\.")]
    )
    assert violations(page) == []
    details.get_by_role("button", name="Block shop.example").click()
    dialog = page.get_by_role("dialog", name="Block shop.example")
    dialog.get_by_role("button", name="Block", exact=True).click()
    expect(dialog).to_contain_text("shop.example is on the domain blacklist.")
    dialog.get_by_role("button", name="Close").click()
    expect(details).to_contain_text("On the blacklist")
    assert [entry["domain"] for entry in dashboard.api("/api/domain-blacklist")["data"]] == ["shop.example"]


def test_a_row_offers_a_viewer_no_block(make_page: Callable[..., Page], viewers_session: dict[str, str]) -> None:
    page = opened(make_page(), viewers_session, "/logs?domain=shop.example")
    page.locator("#entries .logs-switch").first.click()
    expect(page.locator(".logs-details").first).to_contain_text("shop.example")
    assert page.get_by_role("button", name="Block").count() == 0


def test_the_export_is_what_is_filtered(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/logs?domain=evil.example&sort=bytes")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export NDJSON").click()
    lines = download.value.path().read_text("utf-8").splitlines()
    assert len(lines) == len(traffic.HOSTILE)
    assert all("evil.example" in line for line in lines)
    assert download.value.suggested_filename.endswith(".ndjson")


def test_the_live_tail_shows_what_comes_and_can_be_stopped(
    open_page: Callable[..., Page], dashboard: Dashboard
) -> None:
    page = open_page("/logs?client=10.9.8.7", clocked=True)
    tail = page.get_by_role("button", name="Live")
    tail.click()
    expect(tail).to_have_attribute("aria-pressed", "true")
    expect(page).to_have_url(re.compile("live=1"))
    for number in (1001, 1002):
        dashboard.append(traffic.passing(time.time(), number))
        row = page.locator("#entries tr[data-id]").first
        expect(row).to_contain_text(f"http://fresh.example/{number}", timeout=15_000)
    tail.click()
    expect(tail).to_have_attribute("aria-pressed", "false")
    total = page.locator("#found").inner_text()
    before = dashboard.api("/api/logs/stats")["data"]["total_count"]
    dashboard.append(traffic.passing(time.time(), 1003))
    wait_for(lambda: dashboard.api("/api/logs/stats")["data"]["total_count"] > before)
    pass_time(page, 60)
    page.wait_for_timeout(300)
    assert page.locator("#found").inner_text() == total


def test_a_filter_that_is_none_is_told(open_page: Callable[..., Page], complaints: list[str]) -> None:
    page = open_page("/logs")
    page.get_by_label("Status", exact=True).fill("what?")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#trouble")).to_contain_text("status: must be a status such as 403")
    assert "400" in complaints.pop()
    assert page.locator("#entries").get_attribute("aria-busy") is None


def test_nothing_found_says_what_to_do(open_page: Callable[..., Page]) -> None:
    page = open_page("/logs?domain=nowhere.example")
    expect(page.locator("#entries")).to_have_text(
        "No request matches these filters. Clear some of them, or take more time."
    )


def test_hostile_texts_are_only_texts(open_page: Callable[..., Page]) -> None:
    page = open_page("/logs?domain=evil.example")
    for switch in page.locator("#entries .logs-switch").all():
        switch.click()
    for text in traffic.HOSTILE:
        expect(page.locator(".logs-details", has_text=text).first).to_be_visible()
    assert page.locator("#content :is(img, script, iframe, object)").count() == 0
