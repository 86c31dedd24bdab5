"""The real program, followed by a real Chromium: one of each for all tests in this folder.

Whatever a test does, no page may ask another host, break its own content security policy, or complain in the console.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import requests
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from proxyweb.accounts import users
from proxyweb.api.bodies import LONGEST_SECONDS
from proxyweb.db.session import open_session, transaction
from tests.e2e.browser import traffic
from tests.e2e.program import command
from tests.e2e.server import Server
from tests.test_supervisor import wait_for

ROOT = Path(__file__).parents[3]
AXE = ROOT / "node_modules/axe-core/axe.min.js"
STYLE = ROOT / "proxyweb/dashboard/static/vendor/tabler.min.css"
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PASSWORD = "a password for the tests"
SERVED_ON_SECONDS = LONGEST_SECONDS + 0.1  # by when nobody is given the figures of before any more
OPEN_EVERYTHING = """
    document.querySelectorAll("#content details:not([open]) > summary").forEach((node) => node.click());
    document.querySelectorAll("#content button[aria-expanded=false]").forEach((node) => node.click());
"""
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1440, "height": 900}


@dataclass(frozen=True)
class Dashboard:
    """The running program, and the log that it follows."""

    url: str
    log: Path
    instance: Path

    def api(self, path: str) -> Any:
        """What the API answers, as JSON."""
        return requests.get(self.url + path, auth=("admin", PASSWORD), timeout=10).json()

    def change(self, method: str, path: str, body: Any = None) -> Any:
        """Have the admin change something."""
        answer = self.ask(method, path, body)
        assert answer.ok, answer.text
        return answer.json()

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        """What the API answers the admin, who may be refused."""
        return requests.request(method, self.url + path, json=body, auth=("admin", PASSWORD), timeout=10)

    def append(self, *lines: bytes) -> None:
        with self.log.open("ab") as log:
            log.write(b"".join(lines))


def write_traffic(log: Path) -> None:
    traffic.write(log, time.time())


@contextmanager
def running(folder: Path, write: Callable[[Path], None] = write_traffic) -> Iterator[Dashboard]:
    """The program in `folder`, with the log that `write` writes read, and another, empty one followed."""
    assert STYLE.exists() and AXE.exists(), "run 'make test' once: it fetches what the dashboard takes from npm"
    instance, log, history = folder / "instance", folder / "access.log", folder / "history.log"
    log.touch()
    write(history)
    imported = command(instance, log, "import", str(history))
    assert imported.returncode == 0, imported.stderr
    server = Server(instance, ADMIN_PASSWORD=PASSWORD, ACCESS_LOG=str(log), LOGIN_ATTEMPTS="1000")
    try:
        wait_for(server.healthy, 20)
        yield Dashboard(server.url, log, instance)
    finally:
        server.stop()


@pytest.fixture(scope="package")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    with running(tmp_path_factory.mktemp("dashboard")) as dashboard:
        yield dashboard


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "the tests need Debian's chromium; 'make test' installs it or says how"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def unblocked(dashboard: Dashboard) -> Iterator[None]:
    """The list of domains is empty again afterwards."""
    yield
    for entry in dashboard.api("/api/domain-blacklist")["data"]:
        dashboard.change("DELETE", f"/api/domain-blacklist/{entry['id']}")


@pytest.fixture
def complaints() -> list[str]:
    """What went wrong in the pages of a test; one that expects a complaint takes it out."""
    return []


@pytest.fixture
def make_page(dashboard: Dashboard, chromium: Browser, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """Makes pages with a context of their own, in a zone that is not UTC; options are Playwright's."""
    with pages_of(dashboard, chromium, complaints) as make:
        yield make
    assert complaints == []


@contextmanager
def pages_of(dashboard: Dashboard, chromium: Browser, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """What makes pages; they are gone in the end, and what went wrong in them is among the complaints."""
    contexts = []

    def asked(request: Request) -> None:
        if not request.url.startswith((dashboard.url + "/", "data:")):
            complaints.append(f"asked for {request.url}")

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def make(**options: Any) -> Page:
        context = chromium.new_context(
            base_url=dashboard.url, timezone_id="Asia/Kathmandu", **{"viewport": DESKTOP, **options}
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("request", asked)
        page.on("console", said)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"a dialog: {dialog.message}"))
        return page

    yield make
    for context in contexts:
        context.close()


def cookie_of(dashboard: Dashboard, username: str = "admin", password: str = PASSWORD) -> dict[str, str]:
    """The cookie of a new session."""
    form = {"username": username, "password": password}
    answer = requests.post(
        f"{dashboard.url}/sign-in", data=form, headers={"Origin": dashboard.url}, allow_redirects=False, timeout=10
    )
    return {"name": "proxyweb", "value": answer.cookies["proxyweb"], "url": dashboard.url}


@pytest.fixture(scope="package")
def session(dashboard: Dashboard) -> dict[str, str]:
    """The cookie of a session that most tests share; one that ends a session begins its own."""
    return cookie_of(dashboard)


@pytest.fixture(scope="package")
def viewers_session(dashboard: Dashboard) -> dict[str, str]:
    with transaction(open_session(dashboard.instance / "proxyweb.sqlite")) as database:
        users.add(database, "viewer", PASSWORD, "viewer", time.time())
    return cookie_of(dashboard, "viewer")


@pytest.fixture
def open_page(make_page: Callable[..., Page], session: dict[str, str]) -> Callable[..., Page]:
    """Opens a path as the admin and waits for its figures; options are Playwright's."""
    return partial(open_with, session, make_page)


@pytest.fixture
def open_as_viewer(make_page: Callable[..., Page], viewers_session: dict[str, str]) -> Callable[..., Page]:
    """Opens a path as somebody who may only read."""
    return partial(open_with, viewers_session, make_page)


def open_with(
    session: dict[str, str], make_page: Callable[..., Page], path: str = "/", clocked: bool = False, **options: Any
) -> Page:
    """`clocked` lets `pass_time` wind the page's clock forward."""
    page = make_page(**options)
    if clocked:
        page.clock.install()
    return opened(page, session, path)


def opened(page: Page, session: dict[str, str], path: str) -> Page:
    """Go to a path with a session's cookie and wait for its figures."""
    page.context.add_cookies([cast(Any, session)])
    page.goto(path)
    loaded(page)
    return page


def lasted(milliseconds: int | None) -> str:
    """How a page says for how long: `340 ms`, `1.43 s`, `1 min 35 s`, `1 h 10 min`, a dash where nobody knows."""
    if milliseconds is None:
        return "–"
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = Decimal(milliseconds) / 1000
    if seconds < 60:
        rounded = seconds.quantize(Decimal(1).scaleb(seconds.adjusted() - 2), ROUND_HALF_UP)
        return f"{rounded.normalize():f} s"
    minutes, rest = divmod(int(seconds.quantize(Decimal(1), ROUND_HALF_UP)), 60)
    hours, more = divmod(minutes, 60)
    return f"{hours:,} h {more} min" if hours else f"{minutes} min {rest} s"


def in_words(count: int) -> str:
    """A number of requests as pages say it."""
    return f"{count:,} request{'' if count == 1 else 's'}"


def pass_time(page: Page, seconds: float) -> None:
    """Have a page that was opened with `clocked` believe that so much time has passed.

    The server's time can't be wound forward; it is given as long as it may serve the figures of before.
    """
    time.sleep(SERVED_ON_SECONDS)
    page.clock.fast_forward(int(seconds * 1000))


def sign_in(page: Page, password: str = PASSWORD, username: str = "admin") -> None:
    page.get_by_label("Name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def loaded(page: Page) -> None:
    """Wait until the page has shown what it asked for."""
    page.locator("#state", has_text="Updated").wait_for()
