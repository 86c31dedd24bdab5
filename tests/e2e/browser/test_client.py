"""A client's page: its figures are the API's, links lead to its log, and an admin may block it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import traffic
from tests.e2e.browser.conftest import DESKTOP, PHONE, Dashboard, in_words, lasted, loaded, opened, pass_time
from tests.e2e.browser.test_every_page import MOST_SHIFTED, WATCH_SHIFTS, violations
from tests.e2e.browser.test_logs import ids
from tests.ingest.factory import Request
from tests.test_supervisor import wait_for

CLIENT = "10.9.0.5"
UNKNOWN = "192.0.2.250"


@pytest.fixture
def unblocked(dashboard: Dashboard) -> Iterator[None]:
    """The list of addresses is empty again afterwards."""
    yield
    for entry in dashboard.api("/api/ip-blacklist")["data"]:
        dashboard.change("DELETE", f"/api/ip-blacklist/{entry['id']}")


@pytest.fixture
def masked(dashboard: Dashboard) -> Iterator[None]:
    dashboard.change("PUT", "/api/settings/gdpr_mode", {"value": True})
    yield
    dashboard.change("PUT", "/api/settings/gdpr_mode", {"value": False})


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_it_is_readable_by_everyone(open_page: Callable[..., Page], theme: str, size: dict[str, int]) -> None:
    page = open_page(f"/clients/{CLIENT}", color_scheme=theme, viewport=size)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert violations(page) == []
    page.get_by_role("button", name="Block this client").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert violations(page) == []


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_it_does_not_jump(open_page: Callable[..., Page], size: dict[str, int]) -> None:
    page = open_page("/", viewport=size)
    page.add_init_script(WATCH_SHIFTS)
    page.goto(f"/clients/{CLIENT}")
    loaded(page)
    page.wait_for_timeout(300)
    assert page.evaluate("window.shifted") < MOST_SHIFTED


def test_it_needs_no_mouse(open_page: Callable[..., Page]) -> None:
    page = open_page(f"/clients/{CLIENT}")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    for name in ("1 h", "24 h", "7 d", "30 d", "All"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name=name, exact=True)).to_be_focused()
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"window=all$"))
    for entry in (
        page.get_by_role("link", name="Its whole log"),
        page.get_by_role("button", name="Block this client"),
        page.locator("#domains a").first,
    ):
        page.keyboard.press("Tab")
        expect(entry).to_be_focused()
    expect(page.get_by_role("link", name="Clients", exact=True)).to_have_attribute("aria-current", "true")


def test_its_figures_are_the_apis(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(f"/clients/{CLIENT}?window=24h")
    details = dashboard.api(f"/api/clients/{CLIENT}/details?window=24h")["data"]
    expect(page.get_by_role("heading", level=1)).to_have_text(CLIENT)
    expect(page).to_have_title(f"{CLIENT} · proxyweb")
    expect(page.locator("#traffic-beside")).to_have_text(f"sent, in {lasted(details['mean_ms'])} on average")
    expect(page.locator("#requests")).to_have_text(f"{details['total_requests']:,}")
    expect(page.locator("#blocked")).to_have_text(f"{details['blocked']:,}")
    expect(page.locator("#seen time")).to_have_attribute("title", f"{details['last_seen']} UTC")
    expect(page.locator("#seen-beside time")).to_have_attribute("title", f"{details['first_seen']} UTC")
    domains = page.locator("#domains tbody tr")
    assert domains.locator(".list-name").all_inner_texts() == [row["destination"] for row in details["top_domains"]]
    counts = [cell.strip() for cell in domains.locator(".list-count").all_inner_texts()]
    assert counts == [f"{row['requests']:,}" for row in details["top_domains"]]
    times = page.locator("#recent .logs-timestamp time").evaluate_all("times => times.map(time => time.title)")
    assert times == [f"{row['timestamp']} UTC" for row in details["recent"]] != []
    shown = [text.strip() for text in page.locator("#recent td.logs-destination").all_inner_texts()]
    assert shown == [row["destination"] for row in details["recent"]]


def test_the_window_is_in_the_address(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(f"/clients/{CLIENT}")
    page.get_by_role("button", name="1 h", exact=True).click()
    expect(page).to_have_url(re.compile(rf"/clients/{CLIENT}\?window=1h$"))
    details = dashboard.api(f"/api/clients/{CLIENT}/details?window=1h")["data"]
    expect(page.locator("#requests")).to_have_text(f"{details['total_requests']:,}")
    page.go_back()
    details = dashboard.api(f"/api/clients/{CLIENT}/details?window=7d")["data"]
    expect(page.locator("#requests")).to_have_text(f"{details['total_requests']:,}")


def test_a_host_leads_to_what_this_client_asked_of_it(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(f"/clients/{CLIENT}?window=24h")
    details = dashboard.api(f"/api/clients/{CLIENT}/details?window=24h")["data"]
    page.locator("#domains tbody a").first.click()
    loaded(page)
    query = parse_qs(urlsplit(page.url).query)
    first = details["top_domains"][0]
    assert query == {"client": [CLIENT], "since": [details["since"]], "domain": [first["destination"]]}
    expect(page.locator("#found")).to_have_text(in_words(first["requests"]))


def test_its_whole_log_is_one_link_away(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(f"/clients/{CLIENT}")
    page.get_by_role("link", name="Its whole log").click()
    expect(page).to_have_url(re.compile(rf"/logs\?client={CLIENT}$"))
    loaded(page)
    assert ids(page) == [row["id"] for row in dashboard.api(f"/api/logs?client={CLIENT}")["data"]]


def test_a_row_opens_and_stays_while_more_come(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    client = "10.9.7.1"
    lines = [Request(time_ms=int(time.time() * 1000), client=client, url=f"http://own.example/{n}") for n in range(3)]
    dashboard.append(lines[0].line("proxyweb") + b"\n")
    wait_for(lambda: dashboard.api(f"/api/logs?client={client}")["total"] == 1)
    page = open_page(f"/clients/{client}", clocked=True)
    page.locator("#recent .logs-switch").click()
    expect(page.locator("#recent .logs-details")).to_contain_text("It was not blocked.")
    dashboard.append(*(line.line("proxyweb") + b"\n" for line in lines[1:]))
    wait_for(lambda: dashboard.api(f"/api/logs?client={client}")["total"] == 3)
    pass_time(page, 20)
    expect(page.locator("#requests")).to_have_text("3")
    expect(page.locator("#recent .logs-details")).to_be_visible()


def test_an_ipv6_client_has_a_page(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    client = "2001:db8::77"
    dashboard.append(Request(time_ms=int(time.time() * 1000), client=client).line("proxyweb") + b"\n")
    page = open_page("/clients")
    page.get_by_label("Find an address").fill(client)
    page.get_by_role("button", name="1 h", exact=True).click()
    page.get_by_role("button", name="500").click()
    page.get_by_role("link", name=client).click(timeout=15_000)
    expect(page).to_have_url(re.compile(f"/clients/{client}$"))
    expect(page.locator("#requests")).to_have_text("1")


def test_a_client_that_nobody_knows(open_page: Callable[..., Page], complaints: list[str]) -> None:
    page = open_page(f"/clients/{UNKNOWN}")
    expect(page.locator("#unknown")).to_contain_text("No request of this client was ever seen.")
    expect(page.locator("#known")).to_be_hidden()
    expect(page.locator("#trouble")).to_be_hidden()
    assert violations(page) == []
    page.get_by_role("link", name="All clients").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Clients")
    assert {"404" in complaint for complaint in complaints} == {True}
    complaints.clear()


@pytest.mark.usefixtures("unblocked")
def test_an_admin_blocks_it(open_page: Callable[..., Page], dashboard: Dashboard) -> None:
    page = open_page(f"/clients/{CLIENT}")
    button = page.get_by_role("button", name="Block this client")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=f"Block {CLIENT}")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
    assert dashboard.api("/api/ip-blacklist")["data"] == []
    button.click()
    dialog.get_by_label("Why").fill("scans the network")
    dialog.get_by_role("button", name="Block", exact=True).click()
    expect(dialog).to_contain_text(f"{CLIENT} is on the address blacklist.")
    expect(dialog).to_contain_text("the setting enable_ip_blacklist is off")
    (entry,) = dashboard.api("/api/ip-blacklist")["data"]
    assert (entry["ip"], entry["description"]) == (CLIENT, "scans the network")
    dialog.get_by_role("button", name="Close").click()
    expect(page.locator("#block")).to_have_text("On the blacklist")
    expect(page.get_by_role("main")).to_be_focused()
    page.reload()
    loaded(page)
    expect(page.locator("#block")).to_have_text("On the blacklist")


@pytest.mark.usefixtures("unblocked")
def test_one_that_is_on_the_list_already_is_told(
    open_page: Callable[..., Page], dashboard: Dashboard, complaints: list[str]
) -> None:
    page = open_page(f"/clients/{CLIENT}")
    page.get_by_role("button", name="Block this client").click()
    dashboard.change("POST", "/api/ip-blacklist", {"ip": CLIENT})
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Block", exact=True).click()
    expect(dialog).to_contain_text(f"{CLIENT} is on the address blacklist already.")
    dialog.get_by_role("button", name="Close").click()
    expect(page.locator("#block")).to_have_text("On the blacklist")
    assert "409" in complaints.pop()


def test_a_viewer_is_offered_no_block(make_page: Callable[..., Page], viewers_session: dict[str, str]) -> None:
    page = opened(make_page(), viewers_session, f"/clients/{CLIENT}")
    expect(page.locator("#requests")).not_to_have_text("–")
    assert page.get_by_role("button", name="Block").count() == 0


@pytest.mark.usefixtures("masked")
def test_masked_clients_are_shown_and_not_blocked(
    open_page: Callable[..., Page], dashboard: Dashboard, complaints: list[str]
) -> None:
    page = open_page("/clients/10.9.0.x")
    details = dashboard.api("/api/clients/10.9.0.x/details")["data"]
    expect(page.locator("#requests")).to_have_text(f"{details['total_requests']:,}")
    assert page.get_by_role("button", name="Block").count() == 0
    assert CLIENT not in page.content()
    page.locator("#domains tbody a").first.click()
    loaded(page)
    assert "client=10.9.0.x" in page.url
    page.goto(f"/clients/{CLIENT}")
    expect(page.locator("#unknown")).to_contain_text("must be a masked address")
    assert "400" in complaints.pop()
    complaints.clear()


def test_hostile_texts_are_only_texts(open_page: Callable[..., Page]) -> None:
    page = open_page("/clients/10.9.9.9")
    for text in traffic.HOSTILE:
        expect(page.locator("#recent")).to_contain_text(f"http://evil.example/{text}")
    assert page.locator("#content :is(img, script, iframe, object)").count() == 0


def test_a_hostile_address_is_only_a_text(open_page: Callable[..., Page], complaints: list[str]) -> None:
    page = open_page("/clients/%3Cimg%20src=x%20onerror=alert(1)%3E")
    expect(page.get_by_role("heading", level=1)).to_have_text("<img src=x onerror=alert(1)>")
    assert page.locator("#content :is(img, script, iframe, object)").count() == 0
    assert "404" in complaints.pop()
    complaints.clear()
