"""Shadow IT shows the services that the API knows, and changes what is said of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.e2e.browser.conftest import Dashboard, in_words, lasted, pass_time
from tests.e2e.browser.test_every_page import violations

PATH = "/shadow-it"


def services(dashboard: Dashboard, window: str = "7d") -> dict[str, dict[str, Any]]:
    """What the API says, by name."""
    return {row["name"]: row for row in dashboard.api(f"/api/analytics/shadow-it?window={window}")["data"]}


def names(page: Page) -> list[str]:
    """The services that are shown, in order."""
    found: list[str] = page.locator("[data-service]").evaluate_all("rows => rows.map((row) => row.dataset.service)")
    return found


def service(page: Page, name: str) -> Any:
    return page.locator(f"[data-service='{name}']")


def test_its_figures_are_the_apis(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(PATH)
    of_api = services(dashboard)
    assert len(of_api) > 10
    assert sorted(names(page)) == sorted(of_api)
    for name, row in of_api.items():
        shown = service(page, name)
        expect(shown.locator(".service-requests")).to_have_text(f"{row['requests']:,}")
        expect(shown.locator(".service-blocked")).to_have_text(f"{row['blocked']:,}")
        expect(shown.locator(".service-mean")).to_have_text(lasted(row["mean_ms"]))
        expect(shown.locator(".service-clients")).to_have_text(f"{row['clients']:,}")
        expect(shown.locator(".service-risk")).to_have_text(row["risk"].capitalize())
        assert shown.locator(".service-first time").get_attribute("title") == f"{row['first_seen']} UTC"
        assert shown.locator(".service-last time").get_attribute("title") == f"{row['last_seen']} UTC"
        expect(shown.locator(".service-name")).to_contain_text(row["domain"])
        expect(shown.locator(".service-name")).to_contain_text(row["note"])
    expect(page.locator("#in-use")).to_have_text(str(len(of_api)))
    expect(page.locator("#requests")).to_have_text(f"{sum(row['requests'] for row in of_api.values()):,}")
    expect(page.locator("#risky")).to_have_text(str(sum(row["risk"] == "high" for row in of_api.values())))


def test_services_stand_in_their_categories_most_requests_first(
    open_page: Callable[..., Page], dashboard: Dashboard
) -> None:
    page = open_page(PATH)
    of_api = services(dashboard)
    by_category: dict[str, list[dict[str, Any]]] = {}
    for row in of_api.values():
        by_category.setdefault(row["category"], []).append(row)
    headings = page.locator(".services-category").all_inner_texts()
    assert len(headings) == len(by_category)
    totals = [sum(of_api[name]["requests"] for name in names(page) if of_api[name]["category"] == category)
              for category in dict.fromkeys(of_api[name]["category"] for name in names(page))]  # fmt: skip
    assert totals == sorted(totals, reverse=True)
    options = page.get_by_label("Category", exact=True).locator("option").all_inner_texts()
    assert options[1:] == sorted(f"{category} ({len(rows)})" for category, rows in by_category.items())


def test_the_address_says_what_is_shown(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(f"{PATH}?window=24h&category=Social")
    of_api = services(dashboard, "24h")
    expect(page.get_by_role("button", name="24 h", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Category", exact=True)).to_have_value("Social")
    assert names(page) == [name for name, row in of_api.items() if row["category"] == "Social"] != []
    page.get_by_label("Category", exact=True).select_option("")
    expect(page).to_have_url(re.compile(r"/shadow-it\?window=24h$"))
    assert sorted(names(page)) == sorted(of_api)
    page.get_by_label("Name or domain").fill("slack.C")
    expect(page).to_have_url(re.compile(r"search=slack\.C"))
    assert names(page) == ["Slack"]
    page.get_by_label("Name or domain").fill("nobody uses this")
    expect(page.locator("#services")).to_have_text(re.compile("^No service matches. Clear the search"))
    page.go_back()
    expect(page.locator("[data-service]").first).to_be_visible()
    assert names(page) == [name for name, row in of_api.items() if row["category"] == "Social"]


def test_a_service_leads_to_its_requests(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(PATH)
    service(page, "Slack").get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"/logs\?service=Slack&since=-7d$"))
    expect(page.get_by_label("Service of shadow IT")).to_have_value("Slack")
    total = dashboard.api("/api/logs?service=Slack&since=-7d&limit=1")["total"]
    expect(page.locator("#found")).to_have_text(in_words(total))


def test_a_status_is_stored_and_in_the_audit_log(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(PATH)
    status = page.get_by_label("Status of Zoom")
    expect(status).to_have_value("")
    before = int(page.locator("#open").inner_text())
    status.focus()
    for text, value in (("Under review", "under review"), ("Approved", "approved")):
        with page.expect_response(lambda response: response.request.method == "PUT"):
            status.select_option(text)
        assert services(dashboard)["Zoom"]["status"] == value
    newest = dashboard.api("/api/audit-log?limit=1")["data"][0]
    assert (newest["username"], newest["target"], newest["details"]) == ("admin", "Zoom", "under review → approved")
    expect(page.locator("#open")).to_have_text(str(before - 1))
    expect(status).to_be_focused()
    page.goto(f"{PATH}?status=approved")
    expect(page.locator("[data-service]")).to_have_count(1)
    assert names(page) == ["Zoom"]


def test_a_status_that_is_refused_goes_back(
    open_page: Callable[..., Page], dashboard: Dashboard, complaints: list[str]
) -> None:
    page, name = open_page(PATH), "Asana"
    sentence = "The database is busy; try again in a moment."

    def busy(route: Route) -> None:
        route.fulfill(status=503, json={"status": "error", "detail": sentence})

    page.route("**/api/analytics/shadow-it/*", busy)
    status = page.get_by_label(f"Status of {name}")
    status.select_option("Not approved")
    expect(service(page, name).get_by_role("alert")).to_have_text(sentence)
    expect(status).to_have_value("")
    assert services(dashboard)[name]["status"] == ""
    assert violations(page) == []
    assert "503" in complaints.pop()


def test_nothing_moves_away_from_under_a_hand(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(PATH, clocked=True)
    of_api = services(dashboard)
    order = names(page)

    def turned(route: Route) -> None:
        listed = [{**row, "requests": 100_000 - row["requests"]} for row in reversed(of_api.values())]
        route.fulfill(json={"status": "success", "data": listed})

    page.route("**/api/analytics/shadow-it?*", turned)
    service(page, "Slack").hover()
    pass_time(page, 60)
    expect(service(page, "Slack").locator(".service-requests")).to_have_text(
        f"{100_000 - of_api['Slack']['requests']:,}"
    )
    assert names(page) == order
    page.get_by_role("heading", level=1).hover()
    page.wait_for_function("first => document.querySelector('[data-service]').dataset.service !== first", arg=order[0])


def test_a_viewer_changes_nothing(open_as_viewer: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_as_viewer(PATH)
    assert sorted(names(page)) == sorted(services(dashboard))
    expect(page.locator("#services select")).to_have_count(0)
    expect(service(page, "Canva").locator(".service-status")).to_have_text("Not judged")


def test_what_is_new_says_who_was_first(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(PATH)
    new = dashboard.api("/api/analytics/first-seen?since=-7d")["data"]
    assert new["services"]
    assert new["domains"]
    shown = page.locator("#new-services tbody tr").all_inner_texts()
    assert len(shown) == len(new["services"])
    for text, row in zip(shown, new["services"], strict=True):
        assert {row["name"], row["category"], row["client_ip"]} < set(re.split(r"[\t\n]+", text))
    domains = page.locator("#new-domains tbody tr td:first-child").all_inner_texts()
    assert domains == [row["domain"] for row in new["domains"]]
    page.locator("#new-domains").get_by_role("link", name=new["domains"][0]["client_ip"]).first.click()
    expect(page).to_have_url(re.compile(rf"/clients/{re.escape(new['domains'][0]['client_ip'])}$"))


def test_an_empty_page_says_what_to_do(open_page: Callable[..., Page]) -> None:
    page = open_page()
    nothing = {"status": "success", "data": []}
    page.route("**/api/analytics/shadow-it?*", lambda route: route.fulfill(json=nothing))
    page.goto(PATH)
    expect(page.locator("#services")).to_contain_text(
        "Choose a longer one; services of your own go into shadow_it.toml"
    )
