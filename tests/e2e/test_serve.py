"""`proxyweb serve` as it is run: real gunicorn, two workers, signals."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from proxyweb.api.context import core_of
from proxyweb.app import create_app
from tests.clients import basic, signed_in
from tests.conftest import configuration
from tests.e2e.program import command
from tests.e2e.server import Server, free_port
from tests.test_supervisor import running, wait_for

PASSWORD = "a password for the tests"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that most tests share; the last of them crash it and lock this address out."""
    server = Server(tmp_path_factory.mktemp("shared") / "instance", ADMIN_PASSWORD=PASSWORD)
    wait_for(server.healthy, 20)
    wait_for(lambda: len(server.descendants()) == 3)
    yield server
    server.stop()


def test_first_start_and_end(tmp_path: Path) -> None:
    instance = tmp_path / "instance"
    server = Server(instance)
    wait_for(server.healthy, 20)
    wait_for(lambda: len(server.descendants()) == 3)
    started = server.descendants()
    assert instance.stat().st_mode & 0o777 == 0o750
    assert {
        path.name: oct(path.stat().st_mode & 0o777) for path in instance.iterdir() if path.stat().st_mode & 0o077
    } == {}
    assert requests.get(f"{server.url}/api/status", timeout=5).status_code == 401

    begun = time.monotonic()
    said = server.stop()
    assert time.monotonic() - begun < 5
    assert server.process.returncode == 0
    assert not any(running(pid) for pid in started)
    (password,) = re.findall(r"^The first admin is admin with the password (\S+)$", said, re.MULTILINE)
    assert server.url in said
    app = create_app(configuration(instance))
    assert signed_in(app, basic("admin", password)).get("/api/settings").status_code == 200
    core_of(app).database.close()


def test_a_token_is_revoked_in_every_worker(server: Server) -> None:
    credentials = {"username": "admin", "password": PASSWORD}
    pair = requests.post(f"{server.url}/api/auth/login", json=credentials, timeout=5).json()
    bearer = {"Authorization": f"Bearer {pair['access_token']}"}

    def statuses() -> set[int]:
        """Each on a connection of its own, so that both workers answer."""
        return {requests.get(f"{server.url}/api/status", headers=bearer, timeout=5).status_code for _ in range(12)}

    assert statuses() == {200}
    answer = requests.get(f"{server.url}/api/status", headers=bearer, timeout=5)
    assert answer.headers["Server"] == "gunicorn"
    assert requests.post(f"{server.url}/api/logout", headers=bearer, timeout=5).status_code == 200
    assert statuses() == {401}


def test_a_backup_is_fetched_and_none_is_restored_while_it_serves(server: Server, tmp_path: Path) -> None:
    answer = requests.get(f"{server.url}/api/maintenance/backup", auth=("admin", PASSWORD), timeout=10)
    assert answer.status_code == 200
    backup = tmp_path / "backup.sqlite"
    backup.write_bytes(answer.content)
    assert not list(server.instance.glob(".proxyweb-unfinished-*"))
    refused = command(server.instance, Path("/nowhere/access.log"), "restore", "--yes", str(backup))
    assert (refused.returncode, refused.stderr) == (1, "proxyweb: The server is running; end 'proxyweb serve' first.\n")
    new = tmp_path / "new"
    assert command(new, Path("/nowhere/access.log"), "restore", "--yes", str(backup)).returncode == 0
    restored = Server(new)
    try:
        wait_for(restored.healthy, 20)
        status = requests.get(f"{restored.url}/api/status", auth=("admin", PASSWORD), timeout=5)
        assert status.status_code == 200, "whoever could sign in still can"
    finally:
        restored.stop()


def test_a_port_that_is_taken_is_one_sentence(server: Server, tmp_path: Path) -> None:
    second = Server(tmp_path / "other", BIND=f"127.0.0.1:{server.port}")
    said, _ = second.process.communicate(timeout=10)
    assert second.process.returncode == 1
    assert said == (
        f"proxyweb: Can't listen on 127.0.0.1:{server.port}: address already in use; "
        "PROXYWEB_BIND names another address.\n"
    )
    assert not (tmp_path / "other").exists()


def test_a_unix_socket_stands_for_a_local_proxy(tmp_path: Path) -> None:
    """Who asks there may send any Host, from which gunicorn takes the port: it does not open the metrics."""
    path, port = tmp_path / "web.sock", free_port()
    server = Server(tmp_path / "instance", BIND=f"unix:{path}", ADMIN_PASSWORD=PASSWORD, METRICS_BIND=str(port))

    def answer(wanted: str) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(path))
            client.sendall(f"GET {wanted} HTTP/1.1\r\nHost: x:{port}\r\nConnection: close\r\n\r\n".encode())
            return client.recv(100)

    try:
        wait_for(path.exists, 20)
        assert answer("/api/health").startswith(b"HTTP/1.1 200")
        assert answer("/metrics").startswith(b"HTTP/1.1 401")
        assert requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).status_code == 200
    finally:
        server.stop()
    assert server.process.returncode == 0


def test_what_can_not_be_used_is_one_sentence(tmp_path: Path) -> None:
    server = Server(tmp_path / "instance", THREADS="none")
    said, _ = server.process.communicate(timeout=10)
    assert (server.process.returncode, said) == (1, "proxyweb: PROXYWEB_THREADS must be a whole number from 1 to 64.\n")


def test_reload_and_crash_do_not_interrupt(server: Server) -> None:
    gunicorn, *workers = server.descendants()
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(server.descendants()) == 3 and not set(workers) & set(server.descendants()))
    assert server.healthy()
    os.kill(gunicorn, signal.SIGKILL)
    wait_for(lambda: gunicorn not in server.descendants())
    wait_for(server.healthy, 20)


def test_lockout_is_shared_by_the_workers(server: Server) -> None:
    wrong = [requests.get(f"{server.url}/api/status", auth=("admin", "wrong"), timeout=5).status_code for _ in range(8)]
    assert wrong == [401] * 5 + [429] * 3
    assert requests.get(f"{server.url}/api/status", auth=("admin", PASSWORD), timeout=5).status_code == 429
