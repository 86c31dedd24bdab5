"""The list of clients: its figures are the API's, the address says which, and each leads to its page."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.e2e.browser.conftest import PHONE, Dashboard, lasted, loaded
from tests.e2e.browser.test_files import drawn, table


def column(page: Page, name: str) -> list[str]:
    """What a column of the list shows, without what is said on phones only."""
    return [cell.strip() for cell in page.locator(f"#content tbody .list-{name}").all_inner_texts()]


def test_its_figures_are_the_apis(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/clients?window=24h")
    data = dashboard.api("/api/clients/statistics?window=24h&limit=50")["data"]
    clients = data["clients"]
    assert len(clients) == 50
    assert column(page, "name") == [client["ip_address"] for client in clients]
    assert column(page, "count") == [f"{client['requests']:,}" for client in clients]
    blocked = [re.match(r"[\d,]+", cell) for cell in page.locator("#clients td.list-blocked").all_text_contents()]
    assert [found and found[0] for found in blocked] == [f"{client['blocked']:,}" for client in clients]
    assert column(page, "mean") == [lasted(client["mean_ms"]) for client in clients]
    in_all = page.locator("#clients td.list-mean span").first.get_attribute("title")
    assert in_all == f"{lasted(clients[0]['elapsed_ms'])} in all"
    assert column(page, "state") == [client["status"] for client in clients]
    titles = page.locator("#clients .list-seen time").evaluate_all("times => times.map(time => time.title)")
    assert titles == [f"{client['last_seen']} UTC" for client in clients]
    expect(page.locator("#found")).to_have_text(f"50 of {data['total_clients']:,} clients, busiest first")


def test_the_choices_are_in_the_address(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/clients")
    expect(page.get_by_role("button", name="7 d", exact=True)).to_have_attribute("aria-pressed", "true")
    usual = page.locator("#found").inner_text()
    total = dashboard.api("/api/clients/statistics?window=1h")["data"]["total_clients"]
    page.get_by_role("button", name="1 h", exact=True).click()
    expect(page).to_have_url(re.compile(r"/clients\?window=1h$"))
    expect(page.locator("#found")).to_have_text(f"{min(50, total)} of {total} clients, busiest first")
    page.get_by_role("button", name="500").click()
    expect(page).to_have_url(re.compile(r"/clients\?window=1h&limit=500$"))
    page.reload()
    loaded(page)
    expect(page.get_by_role("button", name="500")).to_have_attribute("aria-pressed", "true")
    assert len(column(page, "name")) == min(500, total)
    page.go_back()
    page.go_back()
    expect(page.locator("#found")).to_have_text(usual)
    expect(page.get_by_role("button", name="7 d", exact=True)).to_have_attribute("aria-pressed", "true")


def test_an_unknown_choice_is_the_usual_one(open_page: Callable[..., Page]) -> None:
    page = open_page("/clients?window=2y&limit=-1")
    expect(page.get_by_role("button", name="7 d", exact=True)).to_have_attribute("aria-pressed", "true")
    assert len(column(page, "name")) == 50


def test_typing_finds_among_what_is_shown(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/clients?limit=500")
    data = dashboard.api("/api/clients/statistics?limit=500")["data"]
    matching = [client["ip_address"] for client in data["clients"] if "10.9.0" in client["ip_address"]]
    page.get_by_label("Find an address").press_sequentially("10.9.0")
    assert column(page, "name") == matching != []
    match = "matches" if len(matching) == 1 else "match"
    expect(page.locator("#found")).to_have_text(
        f"{len(matching)} of the {len(data['clients'])} shown {match}; {data['total_clients']} clients in all"
    )
    page.get_by_label("Find an address").fill("nowhere")
    expect(page.locator("#clients")).to_contain_text("None of the clients shown match.")


def test_a_client_leads_to_its_page(open_page: Callable[..., Page]) -> None:
    page = open_page("/clients")
    link = page.locator("#clients tbody a").first
    address = link.inner_text()
    link.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/clients/{re.escape(address)}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text(address)


def test_a_phone_says_what_the_figures_are(open_page: Callable[..., Page]) -> None:
    page = open_page("/clients", viewport=PHONE)
    row = page.locator("#clients tbody tr").first
    expect(row.locator(".list-count")).to_contain_text("requests")
    expect(row.get_by_text("blocked")).to_be_visible()
    expect(row.locator(".list-state")).to_be_visible()
    expect(row.locator(".list-mean")).to_be_hidden()


def test_a_link_keeps_the_focus_when_figures_change(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/clients")
    link = page.locator("#clients tbody a").nth(3)
    link.focus()
    page.evaluate("window.kept = document.activeElement")
    page.evaluate("document.getElementById('search').dispatchEvent(new Event('input'))")
    assert page.evaluate("window.kept !== document.activeElement")
    expect(link).to_be_focused()


def test_what_fails_after_a_choice_is_told_and_tried_again(
    open_page: Callable[..., Page], dashboard: Dashboard, complaints: list[str]
) -> None:
    page = open_page("/clients")
    body = '{"status": "error", "detail": "The database is busy; try again in a moment."}'
    page.route("**/api/clients/statistics?window=1h*", lambda route: route.fulfill(status=503, body=body))
    page.get_by_role("button", name="1 h", exact=True).click()
    trouble = page.locator("#trouble")
    expect(trouble).to_contain_text("The database is busy")
    expect(page.locator("main")).to_have_attribute("aria-busy", "true")
    page.unroute("**/api/clients/statistics?window=1h*")
    trouble.get_by_role("button", name="Try again").click()
    expect(trouble).to_be_hidden()
    expect(page.locator("main")).not_to_have_attribute("aria-busy", "true")
    clients = dashboard.api("/api/clients/statistics?window=1h")["data"]["clients"]
    assert column(page, "name") == [client["ip_address"] for client in clients]
    assert {"503" in complaint for complaint in complaints} == {True}
    complaints.clear()


def test_what_is_chosen_last_is_shown(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/clients")
    slow: list[Route] = []
    page.route("**/api/clients/statistics?window=30d*", lambda route: slow.append(route))
    page.get_by_role("button", name="30 d").click()
    page.wait_for_timeout(200)
    page.get_by_role("button", name="1 h", exact=True).click()
    total = dashboard.api("/api/clients/statistics?window=1h")["data"]["total_clients"]
    expect(page.locator("#found")).to_have_text(f"{min(50, total)} of {total} clients, busiest first")
    assert len(slow) == 1


def test_activity_is_the_apis(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page("/clients")
    data = dashboard.api("/api/clients/activity")["data"]
    parts = [*(client["requests"] for client in data["clients"]), data["others"]]
    assert len(parts) == 8
    assert drawn(page, "activity") == parts
    assert [row[1:] for row in table(page, "activity")] == [
        [f"{count:,}" for count in hour] for hour in zip(*parts, strict=True)
    ]
    names = page.locator("#activity-table th").all_text_contents()
    assert names == ["Time", *(client["ip_address"] for client in data["clients"]), "All others"]
