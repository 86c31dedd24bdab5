"""A running server that tests share; those that end it or lock themselves out have their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import ADMIN_PASSWORD
from tests.e2e.program import command
from tests.e2e.server import Server
from tests.ingest.factory import log, traffic
from tests.test_supervisor import wait_for

ENTRIES = 12_000


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers of four threads each, and a log of some megabytes."""
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "access.log").write_bytes(log(*traffic(ENTRIES)))
    server = Server(
        folder / "instance", ADMIN_PASSWORD=ADMIN_PASSWORD, LOGIN_ATTEMPTS="1000", EXPORTS_PER_MINUTE="1000"
    )
    try:
        wait_for(server.healthy, 20)
        wait_for(lambda: len(server.descendants()) == 3)
        done = command(server.instance, folder / "access.log", "import", str(folder / "access.log"))
        assert done.returncode == 0, done.stderr
        yield server
    finally:
        server.stop()
