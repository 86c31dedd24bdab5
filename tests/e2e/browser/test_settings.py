"""The settings: each kind is saved or refused, what is deleted is what was announced, and a viewer changes nothing.

They have a program of their own, since they change and delete what the other tests look at.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.browser import traffic
from tests.e2e.browser.conftest import Dashboard, cookie_of, loaded, pass_time, running, sign_in
from tests.e2e.browser.test_every_page import violations
from tests.e2e.program import command

VIEWER_PASSWORD, NEW_PASSWORD = "the viewer's password", "the viewer's new password"
Opener = Callable[..., Page]


def write_with_a_pause(log: Path) -> None:
    """Nobody asks for anything in the quarter of an hour that gets older than two days while the tests run."""
    now = time.time()
    traffic.write(log, now)
    pause = range(int(now) - 2 * 86_400, int(now) - 2 * 86_400 + 900)
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(line for line in lines if int(line.partition(b".")[0]) not in pause))


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("settings")
    with running(folder, write_with_a_pause) as started:
        made = command(
            folder / "instance", started.log, "user", "add", "viewer", "--role", "viewer", given=VIEWER_PASSWORD
        )
        assert made.returncode == 0, made.stderr
        yield started


@pytest.fixture(scope="module")
def session(dashboard: Dashboard) -> dict[str, str]:
    return cookie_of(dashboard)


@pytest.fixture
def open_as_viewer(make_page: Opener, dashboard: Dashboard) -> Opener:
    def open_path(path: str, **options: Any) -> Page:
        page = make_page(**options)
        cookie: Any = cookie_of(dashboard, "viewer", VIEWER_PASSWORD)
        page.context.add_cookies([cookie])
        page.goto(path)
        loaded(page)
        return page

    return open_path


def settings(dashboard: Dashboard) -> dict[str, str]:
    return {it["setting_name"]: it["setting_value"] for it in dashboard.api("/api/settings")["data"]}


def control(page: Page, name: str) -> Locator:
    return page.locator(f"#{name}")


def row(page: Page, name: str) -> Locator:
    return page.locator(f"[data-setting={name}]")


def total(dashboard: Dashboard, **filters: str) -> int:
    query = "&".join(f"{name}={value}" for name, value in {"limit": "1", **filters}.items())
    return int(dashboard.api(f"/api/logs?{query}")["total"])


def test_every_setting_is_shown_with_its_value(open_page: Opener, dashboard: Dashboard) -> None:
    page = open_page("/settings")
    for name, value in settings(dashboard).items():
        if control(page, name).get_attribute("type") == "checkbox":
            expect(control(page, name)).to_be_checked(checked=value == "true")
        else:
            expect(control(page, name)).to_have_value(value)
        expect(row(page, name)).to_contain_text(re.compile("at once|needs Squid"))


def test_the_database_is_told_of_optimized_and_taken_along(open_page: Opener, dashboard: Dashboard) -> None:
    page = open_page("/settings")
    figures = dashboard.api("/api/database/stats")["data"]
    shown = page.locator("#database dd").all_inner_texts()
    assert shown[2] == f"{figures['rows']:,}"
    assert [page.locator("#database time").nth(place).get_attribute("title") for place in (0, 1)] == [
        f"{figures['oldest']} UTC",
        f"{figures['newest']} UTC",
    ]
    page.get_by_role("button", name="Optimize").click()
    expect(page.locator("#database-said")).to_contain_text("The database is optimized; the disk has")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download a backup").click()
    assert download.value.path().read_bytes().startswith(b"SQLite format 3")
    dashboard.change("PUT", "/api/settings/gdpr_mode", {"value": True})
    try:
        page.reload()
        loaded(page)
        expect(page.locator("#backup-masked")).to_contain_text("no backup leaves the server")
        expect(page.locator("#backup")).to_be_hidden()
    finally:
        dashboard.change("PUT", "/api/settings/gdpr_mode", {"value": False})


def test_a_viewer_sees_the_databases_figures_and_no_more(open_as_viewer: Opener, dashboard: Dashboard) -> None:
    page = open_as_viewer("/settings")
    rows = dashboard.api("/api/database/stats")["data"]["rows"]
    expect(page.locator("#database")).to_contain_text(f"{rows:,}")
    assert page.locator("#backup").count() == page.locator("#optimize").count() == 0


def test_a_switch_saves_at_once_and_the_score_follows(open_page: Opener, dashboard: Dashboard) -> None:
    page = open_page("/settings")
    before = dashboard.api("/api/security/score")["data"]["score"]
    control(page, "enable_rate_limiting").click()
    expect(row(page, "enable_rate_limiting")).to_contain_text("Saved.")
    assert settings(dashboard)["enable_rate_limiting"] == "true"
    expect(page.locator("#score")).to_contain_text(f"{before + 5} of 100")
    control(page, "enable_rate_limiting").press("Space")
    expect(page.locator("#score")).to_contain_text(f"{before} of 100")
    assert settings(dashboard)["enable_rate_limiting"] == "false"


def test_a_choice_saves_at_once(open_page: Opener, dashboard: Dashboard) -> None:
    page = open_page("/settings")
    control(page, "waf_mode").select_option("Only note")
    expect(row(page, "waf_mode")).to_contain_text("Saved.")
    assert settings(dashboard)["waf_mode"] == "detect"


def test_a_number_is_saved_by_its_button(open_page: Opener, dashboard: Dashboard) -> None:
    page = open_page("/settings")
    save = row(page, "waf_threshold").get_by_role("button", name="Save")
    expect(save).to_be_disabled()
    control(page, "waf_threshold").fill("9")
    save.click()
    expect(row(page, "waf_threshold")).to_contain_text("Saved.")
    expect(save).to_be_disabled()
    assert settings(dashboard)["waf_threshold"] == "9"


def test_a_text_is_saved_by_enter_and_shown_as_it_is_stored(open_page: Opener, dashboard: Dashboard) -> None:
    page = open_page("/settings")
    control(page, "content_filter_extensions").fill(" .EXE, msi ")
    control(page, "content_filter_extensions").press("Enter")
    expect(row(page, "content_filter_extensions")).to_contain_text("Saved.")
    expect(control(page, "content_filter_extensions")).to_have_value("exe,msi")
    assert settings(dashboard)["content_filter_extensions"] == "exe,msi"


@pytest.mark.parametrize(
    ("name", "typed", "sentence"),
    [
        ("waf_threshold", "0", "It must be a whole number from 1 to 100."),
        ("log_retention_days", "", "It must be a whole number from 1 to 3650."),
        ("working_hours", "always", "It "),
    ],
)
def test_what_the_server_refuses_it_says_why(
    open_page: Opener, dashboard: Dashboard, complaints: list[str], name: str, typed: str, sentence: str
) -> None:
    page = open_page("/settings")
    before = settings(dashboard)[name]
    control(page, name).fill(typed)
    control(page, name).press("Enter")
    expect(page.locator(f"#{name}-said")).to_contain_text(sentence)
    expect(control(page, name)).to_have_value(typed)
    expect(control(page, name)).to_have_attribute("aria-invalid", "true")
    assert settings(dashboard)[name] == before
    assert "400" in complaints.pop()


def test_what_is_typed_stays_while_the_page_is_refreshed(open_page: Opener, dashboard: Dashboard) -> None:
    page = open_page("/settings", clocked=True)
    control(page, "working_hours").fill("D 09:00-17:00")
    dashboard.change("PUT", "/api/settings/rate_limit_connections", {"value": 55})
    pass_time(page, 20)
    expect(control(page, "rate_limit_connections")).to_have_value("55")
    expect(control(page, "working_hours")).to_have_value("D 09:00-17:00")


def test_what_would_be_deleted_is_what_is_deleted(open_page: Opener, dashboard: Dashboard) -> None:
    page = open_page("/settings")
    button = page.get_by_role("button", name="Delete old requests")
    expect(page.locator("#old")).to_have_text("No request is older than 30 days now.")
    expect(button).to_be_disabled()
    old, everything = total(dashboard, until="-2d"), total(dashboard)
    assert 0 < old < everything
    control(page, "log_retention_days").fill("2")
    expect(page.locator("#old")).to_contain_text(f"{old:,} requests are older than 2 days now. Save the number first")
    expect(button).to_be_disabled()
    control(page, "log_retention_days").press("Enter")
    expect(button).to_be_enabled()
    button.click()
    dialog = page.get_by_role("dialog", name=f"Delete {old:,} requests?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    assert total(dashboard) == everything
    button.click()
    announced = int(re.sub(r"\D", "", dialog.get_by_role("heading").inner_text()))
    dialog.get_by_role("button", name="Delete old requests").click()
    expect(page.locator("#old-said")).to_have_text(f"{announced:,} requests were deleted.")
    expect(page.locator("#old")).to_have_text("No request is older than 2 days now.")
    assert total(dashboard) == everything - announced
    newest = dashboard.api("/api/audit-log?limit=1")["data"][0]
    assert (newest["action"], newest["details"]) == ("old logs cleared", f"{announced} entries")


def test_the_lists(open_page: Opener, dashboard: Dashboard, complaints: list[str]) -> None:
    page = open_page("/settings")
    domains = page.get_by_role("region", name="Domain blacklist")
    expect(domains).to_contain_text("No domain is on the list.")
    expect(domains).to_contain_text("Switched off: nothing on this list is blocked.")
    domains.get_by_label("Domain", exact=True).fill("Bad.Example")
    domains.get_by_label("Description").fill("<b>Phishing</b>")
    domains.get_by_role("button", name="Add").click()
    expect(page.locator("#domains-said")).to_have_text("bad.example is on the domain blacklist.")
    expect(domains.get_by_role("cell", name="bad.example <b>Phishing</b>")).to_be_visible()
    expect(domains.get_by_label("Domain", exact=True)).to_be_focused()
    for typed, sentence in (("bad.example", "bad.example is on the domain blacklist already."),
                            ("no domain", "It must be a domain such as example.com")):  # fmt: skip
        domains.get_by_label("Domain", exact=True).fill(typed)
        domains.get_by_label("Domain", exact=True).press("Enter")
        expect(page.locator("#domains-said")).to_contain_text(sentence)
        expect(domains.get_by_label("Domain", exact=True)).to_have_value(typed)
    assert [("409" in text, "400" in text) for text in complaints] == [(True, False), (False, True)]
    complaints.clear()
    domains.get_by_role("button", name="Remove bad.example").click()
    expect(page.locator("#domains-said")).to_have_text("bad.example is no longer on the domain blacklist.")
    expect(domains).to_contain_text("No domain is on the list.")
    control(page, "enable_domain_blacklist").click()
    expect(page.locator("#domains-off")).to_be_hidden()


def test_a_list_has_pages_and_a_search(open_page: Opener, dashboard: Dashboard) -> None:
    for number in range(23):
        dashboard.change("POST", "/api/ip-blacklist", {"ip": f"10.1.0.{number}", "description": f"host {number}"})
    page = open_page("/settings")
    networks = page.get_by_role("region", name="IP blacklist")
    shown = page.locator("#networks-shown")
    expect(shown).to_have_text("1 to 10 of 23")
    for said in ("11 to 20 of 23", "21 to 23 of 23"):
        networks.get_by_role("button", name="Next").click()
        expect(shown).to_have_text(said)
    expect(networks.get_by_role("button", name="Next")).to_be_disabled()
    networks.get_by_role("button", name="Previous").click()
    expect(shown).to_have_text("11 to 20 of 23")
    networks.get_by_label("Search").fill("host 22")
    expect(shown).to_have_text("1 to 1 of 1")
    expect(networks.get_by_role("cell").first).to_contain_text("10.1.0.22")
    networks.get_by_label("Search").fill("nothing")
    expect(networks).to_contain_text("Nothing on the list matches.")


def test_a_viewer_sees_values_and_changes_nothing(open_as_viewer: Opener, dashboard: Dashboard) -> None:
    page = open_as_viewer("/settings")
    expect(page.get_by_role("main")).to_contain_text("You may look at the settings.")
    expect(page.get_by_role("switch")).to_have_count(0)
    expect(control(page, "waf_mode")).to_have_text("Only note")
    expect(control(page, "gdpr_mode")).to_have_text("Off")
    expect(control(page, "log_retention_days")).to_have_text("2")
    expect(control(page, "ssl_bump_exceptions")).to_have_text("None")
    expect(page.locator("#old")).to_have_text("No request is older than 2 days now.")
    expect(page.locator("#networks-shown")).to_have_text("1 to 10 of 23")
    buttons = page.get_by_role("main").get_by_role("button").all_inner_texts()
    assert buttons == ["Change password", "Previous", "Next", "Previous", "Next"]
    assert violations(page) == []


def test_a_new_password_ends_the_session(
    open_as_viewer: Opener, make_page: Opener, dashboard: Dashboard, complaints: list[str]
) -> None:
    page, other = open_as_viewer("/settings"), open_as_viewer("/logs")
    form, said = page.locator("#password-form"), page.locator("#password-said")

    def change(current: str, new: str, again: str) -> None:
        form.get_by_label("Current password").fill(current)
        form.get_by_label("New password", exact=True).fill(new)
        form.get_by_label("New password again").fill(again)
        form.get_by_role("button", name="Change password").click()

    change(VIEWER_PASSWORD, NEW_PASSWORD, "something else")
    expect(said).to_have_text("The new passwords differ.")
    change("wrong", NEW_PASSWORD, NEW_PASSWORD)
    expect(said).to_have_text("Current password is not right.")
    change(VIEWER_PASSWORD, "short", "short")
    expect(said).to_contain_text("New password ")
    assert ["400" in complaint for complaint in complaints] == [True, True]
    complaints.clear()
    change(VIEWER_PASSWORD, NEW_PASSWORD, NEW_PASSWORD)
    expect(page).to_have_url(re.compile(r"/sign-in\?next=/settings$|/sign-in\?next=%2Fsettings$"))
    other.reload()
    expect(other).to_have_url(re.compile("/sign-in"))
    sign_in(page, NEW_PASSWORD, "viewer")
    loaded(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Settings")
    assert all("401" in complaint for complaint in complaints), "a page that asked meanwhile was told"
    complaints.clear()


def test_trouble_is_told_and_ends_by_itself(open_page: Opener, complaints: list[str]) -> None:
    page = open_page("/settings", clocked=True)
    page.route("**/api/settings", lambda route: route.abort())
    pass_time(page, 20)
    trouble = page.locator("#trouble")
    expect(trouble).to_contain_text("proxyweb can't be reached.")
    page.unroute("**/api/settings")
    trouble.get_by_role("button", name="Try again").click()
    expect(trouble).to_be_hidden()
    complaints.clear()


def test_everything_is_deleted_only_by_who_types_the_word(open_page: Opener, dashboard: Dashboard) -> None:
    page = open_page("/settings")
    everything = total(dashboard)
    assert everything > 1000
    page.get_by_role("button", name="Delete everything …").click()
    dialog = page.get_by_role("dialog", name=f"Delete all {everything:,} requests?")
    go = dialog.get_by_role("button", name="Delete everything")
    expect(dialog.get_by_label("Type “delete” to go on")).to_be_focused()
    expect(go).to_be_disabled()
    assert violations(page) == []
    page.keyboard.type("delet")
    page.keyboard.press("Enter")
    expect(go).to_be_disabled()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert total(dashboard) == everything
    page.get_by_role("button", name="Delete everything …").click()
    expect(dialog.get_by_label("Type “delete” to go on")).to_be_focused()  # it counts before it asks
    page.keyboard.type("delete")
    page.keyboard.press("Enter")
    expect(page.locator("#all-said")).to_have_text(f"{everything:,} requests were deleted.")
    assert total(dashboard) == 0
