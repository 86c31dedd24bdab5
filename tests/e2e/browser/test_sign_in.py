"""Getting in, out, and back in."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.browser.conftest import loaded, sign_in


def test_a_wrong_password_is_told_and_the_right_one_lets_in(
    make_page: Callable[..., Page], complaints: list[str]
) -> None:
    page = make_page()
    page.goto("/")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=/$"))
    expect(page.get_by_label("Name")).to_be_focused()
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    expect(page.get_by_label("Name")).to_have_value("admin")
    assert complaints.pop() == "Failed to load resource: the server responded with a status of 403 (FORBIDDEN)"
    sign_in(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_signing_out(make_page: Callable[..., Page]) -> None:
    page = make_page()
    page.goto("/")
    sign_in(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile(r"/sign-in$"))
    assert page.context.cookies() == []
    page.goto("/logs")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=/logs$"))


def test_a_session_that_has_ended_leads_to_sign_in_and_back(
    open_page: Callable[..., Page], complaints: list[str]
) -> None:
    page = open_page("/logs?blocked=true&sort=bytes&live=1")
    page.context.clear_cookies()
    page.wait_for_url("**/sign-in?next=*")
    assert "401" in complaints.pop(), "the browser says so by itself"
    complaints.clear()
    sign_in(page)
    loaded(page)
    expect(page).to_have_url(re.compile(r"/logs\?blocked=true&sort=bytes&live=1$"))
    expect(page.get_by_label("Outcome")).to_have_value("true")


def test_it_works_without_scripts(make_page: Callable[..., Page]) -> None:
    page = make_page(java_script_enabled=False)
    page.goto("/sign-in")
    sign_in(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
