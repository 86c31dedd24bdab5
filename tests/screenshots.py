"""Take the README's pictures: `python -m tests.screenshots docs`. The same code gives the same pictures.

Their office is the demo's at a fixed time; the pages are the real ones, with a clock that stands still.
"""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import ViewportSize, sync_playwright
from werkzeug.serving import make_server

from proxyweb.api.context import core_of
from proxyweb.app import create_app
from proxyweb.config import load
from proxyweb.demo.instance import furnish
from proxyweb.demo.office import DAYS
from proxyweb.ingest.status import FollowerStatus, StatusFile
from tests.e2e.browser.conftest import CHROMIUM, loaded, sign_in

NOW = datetime(2026, 6, 10, 15, 42, 10, tzinfo=UTC)
REQUESTS = 300_000
PICTURES: dict[str, ViewportSize] = {
    "overview.png": {"width": 1440, "height": 1180},
    "overview-phone.png": {"width": 360, "height": 1180},
}


def main() -> None:
    """Write the pictures into the folder that the command line names."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as instance, _serving(Path(instance)) as (url, password):
        for name, viewport in PICTURES.items():
            _take(folder / name, viewport, url, password)


@contextmanager
def _serving(instance: Path) -> Iterator[tuple[str, str]]:
    """The address of a server that believes it is `NOW`, and its admin's password."""
    log = instance / "access.log"
    config = load({"PROXYWEB_INSTANCE": str(instance), "PROXYWEB_ACCESS_LOG": str(log)})
    now = NOW.timestamp()
    password = furnish(config, REQUESTS, DAYS, int(now))
    with closing(StatusFile(config.follower_status)) as status:
        status.write(FollowerStatus(now, "following", None, "/var/log/squid/access.log", 0, 0, 9))
    app = create_app(config, lambda: now)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", password
    finally:
        server.shutdown()
        thread.join()
        core_of(app).database.close()


def _take(path: Path, viewport: ViewportSize, url: str, password: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        page = browser.new_page(
            base_url=url, viewport=viewport, locale="en-GB", timezone_id="UTC", color_scheme="light"
        )
        page.clock.set_fixed_time(NOW)
        page.goto("/")
        sign_in(page, password)
        loaded(page)
        page.wait_for_timeout(500)
        page.screenshot(path=path, animations="disabled")
        browser.close()


if __name__ == "__main__":
    main()
