"""A log that nobody reads stops nobody: what doesn't fit is dropped, and counted where it is missing."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import subprocess
import sys
import tty
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.e2e.server import Server
from tests.test_supervisor import wait_for

LINES = 4000
CODE = f"""
import logging, sys
from proxyweb.program_log import configure_log
configure_log("info", sys.argv[1])
say = logging.getLogger("proxyweb.test").info
for number in range({LINES}):
    say("number %d %s", number, "x" * (number % 90))
print("through", flush=True)
sys.stdin.readline()
say("number %d", {LINES})
"""


def sockets() -> tuple[int, int]:
    """As systemd gives them: a stream to the journal."""
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


def terminal() -> tuple[int, int]:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    return ours, theirs


def read(descriptor: int) -> bytes:
    """What is there now."""
    os.set_blocking(descriptor, False)
    pieces = []
    try:
        while piece := os.read(descriptor, 65536):
            pieces.append(piece)
    except OSError:  # no more for now; a terminal's last has left
        pass
    return b"".join(pieces)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("made", [os.pipe, sockets, terminal])
def test_what_does_not_fit_is_dropped_and_counted(made: Callable[[], tuple[int, int]], form: str) -> None:
    ours, theirs = made()
    with subprocess.Popen(
        [sys.executable, "-c", CODE, form], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"through\n"
        said = read(ours)
    said += read(ours)
    os.close(ours)
    os.close(theirs)
    messages = [json.loads(line)["message"] if form == "json" else line for line in said.decode().splitlines()]
    expected = told = 0
    for message in messages:
        if dropped := re.search(r"(a|\d+) messages? (?:was|were) dropped here", message):
            expected += 1 if dropped[1] == "a" else int(dropped[1])
            told += 1
        else:
            found = re.search(r"number (\d+)", message)
            assert found
            assert int(found[1]) == expected
            expected += 1
    assert expected == LINES + 1
    assert told


def test_a_file_gets_all_of_it(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as written:
        subprocess.run([sys.executable, "-c", CODE, "text"], input=b"\n", stderr=written, stdout=written, check=True)
    assert (tmp_path / "log").read_text().count("number") == LINES + 1


def test_the_server_answers_though_nobody_reads_its_log(instance: Path) -> None:
    server = Server(instance, LOG_REQUESTS="yes")
    try:
        wait_for(server.healthy, 30)
        with requests.Session() as client:
            for _ in range(1500):  # of a line each, of which a pipe takes some 600
                assert client.get(f"{server.url}/api/health", timeout=10).status_code == 200
    finally:
        said = server.stop()
    assert said.count("GET /api/health 200") > 300
