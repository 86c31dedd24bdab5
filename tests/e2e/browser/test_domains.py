"""Hosts and domains: the table's figures are the API's, the cloud says the same, and an admin may block."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser.conftest import Dashboard, in_words, lasted, loaded, opened
from tests.e2e.browser.test_clients import column
from tests.e2e.browser.test_every_page import violations


def test_its_figures_are_the_apis(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/domains?window=24h&limit=100")
    hosts = dashboard.api("/api/domains/statistics?window=24h&limit=100")["data"]
    assert len(hosts) == 100
    assert column(page, "name") == [host["domain_name"] for host in hosts]
    assert column(page, "count") == [f"{host['requests']:,}" for host in hosts]
    assert column(page, "mean") == [lasted(host["mean_ms"]) for host in hosts]
    blocked = [re.match(r"[\d,]+", cell) for cell in page.locator("#domains td.list-blocked").all_text_contents()]
    assert [found and found[0] for found in blocked] == [f"{host['blocked']:,}" for host in hosts]
    expect(page.locator("#found")).to_have_text("The 100 busiest")


def test_the_switch_and_the_window_are_in_the_address(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/domains")
    page.get_by_role("button", name="Domains", exact=True).click()
    expect(page).to_have_url(re.compile(r"/domains\?by=domain$"))
    expect(page.get_by_role("columnheader", name="Domain", exact=True)).to_be_visible()
    domains = dashboard.api("/api/analytics/top-domains")["data"]
    assert column(page, "name") == [row["domain"] for row in domains]
    assert column(page, "count") == [f"{row['count']:,}" for row in domains]
    assert column(page, "mean") == [lasted(row["mean_ms"]) for row in domains]
    page.get_by_role("button", name="1 h", exact=True).click()
    expect(page).to_have_url(re.compile(r"/domains\?by=domain&window=1h$"))
    domains = dashboard.api("/api/analytics/top-domains?window=1h")["data"]
    expect(page.locator("#domains tbody .list-count").first).to_have_text(re.compile(rf"^{domains[0]['count']:,}\b"))
    assert column(page, "name") == [row["domain"] for row in domains]


def test_the_cloud_says_what_the_table_says(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/domains?window=24h")
    hosts = {host["domain_name"]: host for host in dashboard.api("/api/domains/statistics?window=24h")["data"]}
    words = page.locator("#cloud li a")
    assert words.count() == 40
    sizes: dict[str, int] = {}
    for text, kind in zip(
        words.all_text_contents(), words.evaluate_all("all => all.map(a => a.className)"), strict=True
    ):
        name, _, figures = text.partition(", ")
        host = hosts[name]
        assert figures.startswith(f"{host['requests']:,} requests, ")
        share = host["blocked"] / host["requests"]
        hue = "none" if not share else "few" if share < 0.1 else "some" if share < 0.5 else "most"
        assert f"cloud-{hue}" in kind
        sizes[name] = int(re.findall(r"cloud-(\d)", kind)[0])
    busiest = sorted(sizes, key=lambda name: -hosts[name]["requests"])
    assert [sizes[name] for name in busiest] == sorted(sizes.values(), reverse=True)
    assert set(sizes.values()) >= {1, 6}


def test_the_cloud_needs_no_mouse(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/domains?window=24h")
    page.get_by_role("button", name="All", exact=True).focus()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the table")
    expect(skip).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#cloud li a").first).to_be_focused()
    name = page.locator("#cloud li a").first.text_content() or ""
    page.keyboard.press("Enter")
    loaded(page)
    query = parse_qs(urlsplit(page.url).query)
    assert query["domain"] == [name.partition(",")[0]]
    page.go_back()
    loaded(page)
    skip.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#as-table")).to_be_focused()


def test_a_name_leads_to_its_log(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/domains?by=domain&window=24h")
    first = dashboard.api("/api/analytics/top-domains?window=24h")["data"][0]
    page.locator("#domains tbody a").first.click()
    loaded(page)
    query = parse_qs(urlsplit(page.url).query)
    assert query["domain"] == [first["domain"]]
    expect(page.locator("#found")).to_have_text(in_words(first["count"]))


def test_typing_finds_among_what_is_shown(open_page: Callable[..., Page]) -> None:
    page = open_page("/domains?limit=200")
    page.get_by_label("Find a name").press_sequentially("GOOGLE")
    names = column(page, "name")
    assert names
    assert all("google" in name for name in names)
    assert len(names) > 1
    expect(page.locator("#found")).to_have_text(f"{len(names)} of the 200 shown match")


@pytest.mark.usefixtures("unblocked")
def test_an_admin_blocks_a_domain_and_what_is_below_it(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/domains?by=domain")
    page.get_by_label("Find a name").fill("google.com")
    page.get_by_role("button", name="Block google.com", exact=True).click()
    dialog = page.get_by_role("dialog", name="Block google.com")
    assert violations(page) == []
    dialog.get_by_role("button", name="Cancel").click()
    assert dashboard.api("/api/domain-blacklist")["data"] == []
    page.get_by_role("button", name="Block google.com", exact=True).click()
    dialog.get_by_role("button", name="Block", exact=True).click()
    expect(dialog).to_contain_text("google.com is on the domain blacklist.")
    assert [entry["domain"] for entry in dashboard.api("/api/domain-blacklist")["data"]] == ["google.com"]
    dialog.get_by_role("button", name="Close").click()
    row = page.locator("#domains tbody tr").first
    expect(row.locator(".list-block")).to_have_text("On the blacklist")
    page.get_by_role("button", name="Hosts", exact=True).click()
    page.get_by_label("Find a name").fill("www.google.com")
    expect(row.locator(".list-name")).to_have_text("www.google.com")
    expect(row.locator(".list-block")).to_have_text("On the blacklist")


def test_a_refusal_is_told(open_page: Callable[..., Page], complaints: list[str]) -> None:
    page = open_page("/domains")
    page.get_by_role("button", name="Block www.google.com", exact=True).click()
    dialog = page.get_by_role("dialog")
    body = '{"status": "error", "detail": "The database is busy; try again in a moment."}'
    page.route("**/api/domain-blacklist", lambda route: route.fulfill(status=503, body=body))
    dialog.get_by_role("button", name="Block", exact=True).click()
    expect(dialog).to_contain_text("The database is busy; try again in a moment.")
    expect(dialog.get_by_role("button", name="Block", exact=True)).to_be_enabled()
    assert "503" in complaints.pop()


def test_a_viewer_is_offered_no_block(make_page: Callable[..., Page], viewers_session: dict[str, str]) -> None:
    page = opened(make_page(), viewers_session, "/domains")
    assert len(column(page, "name")) == 50
    assert page.get_by_role("button", name="Block").count() == 0
