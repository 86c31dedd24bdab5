"""What holds for every page: fits a phone, can be used without a mouse and without eyes, is small, does not jump."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from proxyweb.dashboard.pages import PAGES
from tests.e2e.browser.conftest import AXE, DESKTOP, PHONE, loaded

PATHS = [page.path for page in PAGES if "<" not in page.path]
MOST_LOADED = 400_000
MOST_SHIFTED = 0.05
WATCH_SHIFTS = """
    window.shifted = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => { window.shifted += entry.value; }))
        .observe({ type: "layout-shift", buffered: true });
"""


def violations(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2 A and AA."""
    page.evaluate(AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = page.evaluate(
        "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }).then((result) => result.violations)"
    )
    return [f"{rule['id']}: {node['html']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_sign_in_is_readable_by_everyone(make_page: Callable[..., Page], theme: str, size: dict[str, int]) -> None:
    page = make_page(color_scheme=theme, viewport=size)
    page.goto("/sign-in")
    assert violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("path", PATHS)
def test_pages_are_readable_by_everyone(
    open_page: Callable[..., Page], path: str, theme: str, size: dict[str, int]
) -> None:
    page = open_page(path, color_scheme=theme, viewport=size)
    assert page.locator("html").get_attribute("data-bs-theme") == theme
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert violations(page) == []


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("path", PATHS)
def test_pages_do_not_jump_when_figures_arrive(open_page: Callable[..., Page], path: str, size: dict[str, int]) -> None:
    page = open_page("/", viewport=size)
    page.add_init_script(WATCH_SHIFTS)
    page.goto(path)
    loaded(page)
    page.wait_for_timeout(300)
    assert page.evaluate("window.shifted") < MOST_SHIFTED


@pytest.mark.parametrize("path", PATHS)
def test_pages_are_small(open_page: Callable[..., Page], path: str) -> None:
    page = open_page(path)
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.reload()
    loaded(page)
    loaded_bytes = page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".reduce((sum, entry) => sum + entry.transferSize, 0)"
    )
    assert 100_000 < loaded_bytes < MOST_LOADED


@pytest.mark.parametrize("path", PATHS)
def test_pages_need_no_mouse(open_page: Callable[..., Page], path: str) -> None:
    page = open_page(path)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Tab")
    for entry in page.get_by_role("navigation", name="Pages").get_by_role("link").all():
        page.keyboard.press("Tab")
        expect(entry).to_be_focused()
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.get_by_role("link", name="Skip to the content").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_a_phone_folds_the_menu_away(open_page: Callable[..., Page]) -> None:
    page = open_page(viewport=PHONE)
    entry, switch = page.get_by_role("link", name="Logs", exact=True), page.get_by_role("button", name="Menu")
    expect(entry).to_be_hidden()
    switch.click()
    expect(switch).to_have_attribute("aria-expanded", "true")
    expect(entry).to_be_visible()
    page.keyboard.press("Escape")
    expect(entry).to_be_hidden()
    expect(switch).to_be_focused()


def test_the_appearance_follows_the_system_until_it_is_chosen(open_page: Callable[..., Page]) -> None:
    page = open_page(color_scheme="light")
    html = page.locator("html")
    page.emulate_media(color_scheme="dark")
    expect(html).to_have_attribute("data-bs-theme", "dark")
    page.get_by_label("Appearance").select_option("Light")
    expect(html).to_have_attribute("data-bs-theme", "light")
    page.reload()
    expect(html).to_have_attribute("data-bs-theme", "light")
    expect(page.get_by_label("Appearance")).to_have_value("light")
