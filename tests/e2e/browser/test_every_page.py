"""What holds for every page: fits a phone, can be used without a mouse and without eyes, is small, does not jump."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, Literal, NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect

from proxyweb.dashboard.pages import PAGES
from tests.e2e.browser.conftest import AXE, DESKTOP, PHONE, Dashboard, opened, pages_of

PATHS = [page.path for page in PAGES if "<" not in page.path]
SIZES = {"phone": PHONE, "desktop": DESKTOP}
MOST_LOADED = 400_000
MOST_SHIFTED = 0.005
NARROW = 60  # about seven letters
LOADED = """
    [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
        .reduce((sum, entry) => sum + entry.transferSize, 0)
"""
BETWEEN = {PHONE["width"]: (480, 640, 768), DESKTOP["width"]: (992, 1024, 1200, 1280, 1400)}
SQUEEZED = f"""
    [...document.querySelectorAll("#content td, #content .choice .btn")]
        .filter((one) => one.offsetParent && one.textContent.trim().length > 12)
        .filter((one) => one.clientWidth < {NARROW} || one.getBoundingClientRect().right > innerWidth)
        .map((one) => `${{one.className}}: ${{one.textContent.trim()}}`)
"""
WATCH_SHIFTS = """
    window.shifted = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => { window.shifted += entry.value; }))
        .observe({ type: "layout-shift", buffered: true });
"""


def violations(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2 A and AA."""
    if not page.evaluate("'axe' in window"):
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


class Shown(NamedTuple):
    """A page as it was shown first, with an empty cache: how many bytes it loaded, and how much it jumped then."""

    page: Page
    width: int
    loaded_bytes: int
    shifted: float


@pytest.fixture(scope="module", params=product(PATHS, SIZES), ids="-".join)
def shown(
    request: pytest.FixtureRequest, dashboard: Dashboard, chromium: Browser, session: dict[str, str]
) -> Iterator[Shown]:
    """A page in a size, loaded once for the tests that only look at it."""
    path, size = request.param
    complaints: list[str] = []
    with pages_of(dashboard, chromium, complaints) as make:
        page = make(viewport=SIZES[size], color_scheme="light")
        page.add_init_script(WATCH_SHIFTS)
        opened(page, session, path)
        page.wait_for_timeout(300)
        yield Shown(page, SIZES[size]["width"], page.evaluate(LOADED), page.evaluate("window.shifted"))
    assert complaints == []


def test_pages_do_not_jump_when_figures_arrive(shown: Shown) -> None:
    assert shown.shifted < MOST_SHIFTED


def test_pages_are_small(shown: Shown) -> None:
    assert 100_000 < shown.loaded_bytes < MOST_LOADED


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_readable_by_everyone(shown: Shown, theme: Literal["light", "dark"]) -> None:
    shown.page.emulate_media(color_scheme=theme)
    expect(shown.page.locator("html")).to_have_attribute("data-bs-theme", theme)
    shown.page.evaluate("Promise.allSettled(document.getAnimations().map((animation) => animation.finished))")
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= shown.width
    assert violations(shown.page) == []


def test_nothing_is_squeezed_in_sizes_between(shown: Shown) -> None:
    """The last of those that share a page, since it is another one afterwards."""
    for width in BETWEEN[shown.width]:
        shown.page.set_viewport_size({"width": width, "height": 800})
        shown.page.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")  # charts follow later
        assert shown.page.evaluate(SQUEEZED) == [], width


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
