"""Too few descriptors, too little memory: some are turned away, nothing breaks, and it goes on afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.conftest import ADMIN_PASSWORD
from tests.e2e.program import Follow, command
from tests.e2e.server import Server
from tests.faults.checking import SOAK, exact, is_web_worker, memory_kb, sound, writing
from tests.ingest.factory import log, traffic
from tests.ingest.following import Writer
from tests.test_supervisor import wait_for

ADMIN = ("admin", ADMIN_PASSWORD)
DESCRIPTORS = 40
BROKEN_OFF = -1
STARTED_KB = 54_000  # resident in a worker that has the application
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


def test_little_memory_for_a_running_server(instance: Path, writer: Writer) -> None:
    """Its processes get none for a while: who asks is told so, nobody's password is called wrong, and it goes on."""
    writer.write(LINES)
    follow = Follow(instance, writer.path)
    server = Server(instance, ACCESS_LOG=str(writer.path), EXPORTS_PER_MINUTE="1000")
    try:
        wait_for(lambda: server.healthy() and len(server.descendants()) == 4, 30)
        follow.wait(lambda: follow.count() == writer.lines, 30)
        workers = [pid for pid in server.descendants() if is_web_worker(pid)]
        assert len(workers) == 2
        wait_for(lambda: all(memory_kb(pid, "VmRSS") > STARTED_KB for pid in workers), 30)
        for number in range(24):
            assert ask(server, number)[0] in {200, 409}
        for megabytes in (5, 0, -10, -40):
            for pid in server.descendants():
                with suppress(IndexError, OSError):  # it has ended meanwhile
                    limit_memory(pid, memory_kb(pid, "VmSize") * 1024 + megabytes * 1_000_000)
            with writing(writer, 2000), ThreadPoolExecutor(12) as pool:
                answers = list(pool.map(partial(ask, server), range(120)))
            assert {status for status, *_ in answers} <= {200, 409, 503, BROKEN_OFF}, answers
            assert all(retry for status, retry in answers if status == 503)
        for pid in server.descendants():
            limit_memory(pid, None)
        exact(follow, writer)
        for number in range(24):
            assert ask(server, number)[0] in {200, 409}
        assert [pid for pid in server.descendants() if is_web_worker(pid)] == workers, "none had to be started again"
    except BaseException as error:
        error.add_note(f"What the server said last:\n{server.stop()[-6000:]}")
        raise
    server.stop()


def limit_memory(pid: int, size: int | None) -> None:
    """The soft limit of a process's address space, which may be raised again; it may have ended meanwhile."""
    subprocess.run(["prlimit", f"--pid={pid}", f"--as={'unlimited' if size is None else size}:"], capture_output=True)


QUESTIONS = (
    "logs?limit=1000", "logs?search=photo{number}&limit=1000", "logs/export", "clients/statistics?window=all",
    "dashboard/summary", "waf/stats", "security/score", "maintenance/backup", "auth/login",
)  # fmt: skip


def ask(server: Server, number: int) -> tuple[int, bool]:
    """One question, on a connection of its own: the status, and whether it says when to come again. What is sent as it
    is found may break off, and whoever fetches it sees that."""
    question = QUESTIONS[number % len(QUESTIONS)].format(number=number)
    try:
        if question == "auth/login":
            signing_in = {"username": "admin", "password": ADMIN_PASSWORD}
            answer = requests.post(f"{server.url}/api/{question}", json=signing_in, timeout=30)
        else:
            answer = requests.get(f"{server.url}/api/{question}", auth=ADMIN, timeout=30)
    except requests.exceptions.ChunkedEncodingError:
        assert question == "logs/export"
        return BROKEN_OFF, False
    return answer.status_code, "Retry-After" in answer.headers


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
