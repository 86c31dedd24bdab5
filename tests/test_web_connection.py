"""A connection whose client does not read keeps nobody, and takes no worker with it when its answer breaks off."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyweb.web_connection import Socket
from tests.e2e.origin import free_port
from tests.test_supervisor import wait_for

LARGE = 1_000_000  # more than the system keeps for a client, and less than a thread waits with
APP = f"""
import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Process", str(os.getpid()))])
    return broken_off() if environ["PATH_INFO"] == "/broken-off" else [b"whole"]

def broken_off():
    yield b"x" * {LARGE}
    open("broken-off", "w").close()
    raise RuntimeError("no more to come")
"""


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Of a server with one worker of ours and that application."""
    (tmp_path / "breaking.py").write_text(APP)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-k", "proxyweb.web_worker.Worker", "--threads", "2"]
    server = subprocess.Popen(
        [*command, "-b", f"127.0.0.1:{port}", "breaking:app"], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    try:
        yield port
    finally:
        server.terminate()
        server.wait(10)


def process(port: int) -> str | None:
    """Which process answers; None while none does."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        client.request("GET", "/")
        return client.getresponse().getheader("X-Process")
    except OSError:
        return None
    finally:
        client.close()


def test_an_answer_that_breaks_off_before_it_is_read_ends_no_worker(port: int, tmp_path: Path) -> None:
    wait_for(lambda: process(port) is not None, 15)
    worker = process(port)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        client.sendall(b"GET /broken-off HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: (tmp_path / "broken-off").exists())
    for _ in range(50):
        time.sleep(0.02)  # a thread closes it, and then the main one has its turn
        assert process(port) == worker


def test_nothing_is_unsent_of_a_closed_one() -> None:
    accepted, client = socket.socketpair()
    with client:
        kept = Socket(accepted)
        kept.sendall(b"x" * LARGE)
        assert kept.unsent > 0
        kept.close()
        assert kept.unsent == 0
