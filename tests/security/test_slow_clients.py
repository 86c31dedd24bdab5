"""Two hundred connections of one client that say, read or end nothing keep nobody else waiting.

Eight threads answer; each kind of connection would take one of them, or all at once, if it were waited for.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
import requests

from tests.conftest import ADMIN_PASSWORD
from tests.e2e.server import Server
from tests.security.wire import ADMIN, LOGIN, answered, connected

MANY = 200
AT_ONCE_SECONDS = 1.0
ENDURED_SECONDS = 5.0
HEALTH = b"GET /api/health HTTP/1.1\r\nHost: x\r\n"
SILENT: dict[str, bytes] = {
    "nothing": b"",
    "half a request line": b"GET /api/he",
    "half the headers": HEALTH + b"X: ",
    "half a body": LOGIN + b"Content-Length: 60000\r\n\r\n{",
    "a body too large to be read": LOGIN + b"Content-Length: 50000000\r\n\r\n{",
    "half a chunk that holds an end": LOGIN + b"Transfer-Encoding: chunked\r\n\r\nFF\r\n0\r\n\r\n",
    "half a chunked body": LOGIN + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    "half a request behind a whole one": HEALTH + b"\r\n" + b"GET /api/he",
    "an expected permission": LOGIN + b"Expect: 100-continue\r\nContent-Length: 200\r\n\r\n",
    "nothing after the last answer": HEALTH + b"Connection: close\r\n\r\n",
    "nothing after a refusal": b"NONSENSE\r\n\r\n",
}


def seconds_to_answer(server: Server) -> float:
    """For health and a sign-in with wrong fields, several times, so that each worker is asked."""
    begun = time.monotonic()
    for _ in range(3):
        assert requests.get(f"{server.url}/api/health", timeout=ENDURED_SECONDS).status_code == 200
    assert requests.post(f"{server.url}/api/auth/login", json={}, timeout=ENDURED_SECONDS).status_code == 400
    return time.monotonic() - begun


@contextmanager
def others_are_answered(server: Server) -> Iterator[ExitStack]:
    """Whatever is connected in the block: at once, or on a machine that is busy with other things, about as soon as
    before. All that is said within a few seconds, long before any of these connections is closed for its silence."""
    before = seconds_to_answer(server)
    with ExitStack() as held:
        yield held
        deadline = time.monotonic() + ENDURED_SECONDS
        while (taken := seconds_to_answer(server)) > max(AT_ONCE_SECONDS, 3 * before):
            assert time.monotonic() < deadline, f"{taken:.1f} s, and {before:.1f} s before"


@pytest.mark.parametrize("kind", SILENT)
def test_who_stops_in_the_middle_keeps_nobody_waiting(server: Server, kind: str) -> None:
    with others_are_answered(server) as held:
        for _ in range(MANY):
            held.enter_context(connected(server)).sendall(SILENT[kind])
        time.sleep(0.1)


def test_who_sends_an_octet_at_a_time_keeps_nobody_waiting(server: Server) -> None:
    request = LOGIN + b"Content-Length: 900\r\n\r\n" + b" " * 900
    with others_are_answered(server) as held:
        connections = [held.enter_context(connected(server)) for _ in range(MANY)]
        for at in range(20):
            for connection in connections:
                connection.sendall(request[at : at + 1])


def test_half_a_request_and_an_end_costs_no_processor(server: Server) -> None:
    """Such a connection is readable for ever: whoever waited for more of it would turn without end."""
    before = spent(server)
    with ExitStack() as held:
        for _ in range(MANY):
            connection = held.enter_context(connected(server))
            connection.sendall(HEALTH)
            connection.shutdown(socket.SHUT_WR)
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b"", "it is hung up at once"
        time.sleep(0.5)
    assert spent(server) - before < 0.5


def spent(server: Server) -> float:
    """The seconds of processor that the server's processes took."""
    ticks = 0
    for pid in server.descendants():
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            ticks += sum(map(int, stat.read().rpartition(")")[2].split()[11:13]))
    return ticks / 100


def test_who_does_not_read_keeps_nobody_waiting(server: Server) -> None:
    """The largest file, asked for fifty times on each connection and never read."""
    page = requests.get(f"{server.url}/sign-in", timeout=5).text
    (sheet,) = re.findall(r'href="(/assets/[^"]+/vendor/[^"]+\.css)"', page)
    plain = {"Accept-Encoding": "identity"}
    assert len(requests.get(f"{server.url}{sheet}", headers=plain, timeout=5).content) > 400_000
    with others_are_answered(server) as held:
        for _ in range(MANY):
            connection = held.enter_context(connected(server, receive_buffer=4096))
            connection.sendall(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % sheet.encode() * 50)
        time.sleep(0.5)


def test_who_reads_slowly_gets_all_of_it(server: Server) -> None:
    """What a thread leaves to the poller arrives whole and in order, and the connection goes on afterwards."""
    url = f"{server.url}/api/logs?limit=1000"
    expected = requests.get(url, auth=("admin", ADMIN_PASSWORD), timeout=5).content
    with connected(server, receive_buffer=4096) as connection:
        request = b"GET /api/logs?limit=1000 HTTP/1.1\r\nHost: x\r\n" + ADMIN + b"\r\n"
        for _ in range(2):
            connection.sendall(request)
            time.sleep(0.3)
            assert answered(connection).body == expected


def test_exports_that_nobody_reads_keep_nobody_waiting(server: Server) -> None:
    export = b"GET /api/logs/export HTTP/1.1\r\nHost: x\r\n" + ADMIN + b"\r\n"
    with others_are_answered(server) as held:
        for _ in range(MANY):
            held.enter_context(connected(server, receive_buffer=4096)).sendall(export)
        time.sleep(0.5)
