"""Too few descriptors, too little memory: some are turned away, nothing breaks, and it goes on afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.conftest import ADMIN_PASSWORD
from tests.e2e.program import Follow, command
from tests.e2e.server import Server
from tests.faults.checking import SOAK, exact, sound, writing
from tests.ingest.factory import log, traffic
from tests.ingest.following import Writer
from tests.test_supervisor import wait_for

ADMIN = ("admin", ADMIN_PASSWORD)
DESCRIPTORS = 40
LINES = 30_000
pytestmark = pytest.mark.skipif(not shutil.which("prlimit"), reason="there is no prlimit (util-linux)")


def test_few_descriptors(instance: Path, writer: Writer) -> None:
    """Clients that hold more connections than there are descriptors keep others waiting for as long as they do."""
    follow = Follow(instance, writer.path)
    server = Server(instance, by=["prlimit", f"--nofile={DESCRIPTORS}"], ACCESS_LOG=str(writer.path))
    try:
        wait_for(lambda: server.healthy() and len(server.descendants()) == 4, 30)
        processes = server.descendants()
        with writing(writer, 1000):
            with ExitStack() as held:
                for _ in range(DESCRIPTORS * 3):
                    held.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                statuses = set()
                for _ in range(3):
                    try:
                        answer = requests.get(f"{server.url}/api/logs", auth=ADMIN, timeout=1)
                        statuses.add(answer.status_code)
                    except (requests.ConnectionError, requests.Timeout):
                        pass
                assert statuses <= {200, 503}, "or none, as long as others hold what there is"
            wait_for(server.healthy, 30)
            for _ in range(10):
                assert requests.get(f"{server.url}/api/logs", auth=ADMIN, timeout=20).status_code == 200
        exact(follow, writer)
        assert server.descendants() == processes, "none had to be started again"
    finally:
        server.stop()


def test_little_memory(prepared: Path, tmp_path: Path) -> None:
    """An import that gets no more memory ends with what it had committed; the next one reads the rest."""
    path = tmp_path / "access.log"
    path.write_bytes(log(*traffic(LINES)))
    os.utime(path, (time.time() - 60,) * 2)
    for megabytes in range(140, 200, 4 if SOAK else 13):
        instance = Path(shutil.copytree(prepared, tmp_path / f"instance{megabytes}"))
        said = command(instance, path, "import", str(path), by=["prlimit", f"--as={megabytes * 1_000_000}"])
        follow = Follow(instance, path)
        stored = follow.numbers()
        assert stored == list(range(len(stored)))
        assert said.returncode or len(stored) == LINES, said.stderr
        sound(instance)
    assert command(instance, path, "import", str(path)).returncode == 0
    assert follow.numbers() == list(range(LINES))
