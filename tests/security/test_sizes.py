"""Large, deep, packed and endless requests are turned away at once, and take no memory."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from tests.conftest import ADMIN_PASSWORD
from tests.e2e.server import Server
from tests.security.wire import LOGIN, Answered, answered, asked, connected, get

MEGABYTE = 1_000_000
MOST_SECONDS = 1.0
MOST_MORE_MEMORY = 50 * MEGABYTE
MANY_KEYS = json.dumps(dict.fromkeys(map(str, range(MEGABYTE)), 1)).encode()
BODIES: dict[str, tuple[bytes, set[int]]] = {
    "deep": (b"[" * 100_000, {413}),
    "deep, as large as it may be": (b'{"username":' + b"[" * 65_000, {400}),
    "many keys": (MANY_KEYS, {413}),
    "many keys, as many as fit": (MANY_KEYS[:60_000].rpartition(b",")[0] + b"}", {400}),
    "the same key": (b'{"username":"a"' + b',"username":"a"' * 4000 + b"}", {400}),
    "a long number": (b'{"username":' + b"9" * 60_000 + b"}", {400}),
    "no UTF-8": (b'{"username":"' + b"\xff" * 50_000 + b'"}', {400}),
}


def resident(server: Server) -> int:
    """The memory of all of the server's processes, in bytes."""
    return sum(int(Path(f"/proc/{pid}/statm").read_text("utf-8").split()[1]) * 4096 for pid in server.descendants())


@pytest.fixture(autouse=True)
def memory_stays(server: Server) -> Iterator[None]:
    for _ in range(4):
        server.healthy()
    before = resident(server)
    yield
    assert resident(server) - before < MOST_MORE_MEMORY
    assert server.healthy()


@contextmanager
def in_time(server: Server) -> Iterator[None]:
    """Within a second, or a few times as long as a small question takes on a machine that is busy."""
    begun = time.monotonic()
    assert server.healthy()
    most = max(MOST_SECONDS, 5 * (time.monotonic() - begun))
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < most


def answer_in_time(server: Server, sent: bytes) -> Answered:
    with in_time(server):
        return asked(server, sent)


def with_body(body: bytes, headers: bytes = b"") -> bytes:
    return LOGIN + b"Connection: close\r\nContent-Length: %d\r\n" % len(body) + headers + b"\r\n" + body


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_are_work(server: Server, name: str) -> None:
    body, statuses = BODIES[name]
    assert answer_in_time(server, with_body(body)).status in statuses


def test_a_hundred_megabytes_are_refused_before_they_are_sent(server: Server) -> None:
    """The answer comes while the client has sent next to nothing; whoever goes on sending is hung up on."""
    with in_time(server), connected(server) as connection:
        connection.sendall(LOGIN + b"Content-Length: 100000000\r\n\r\n" + b" " * 1000)
        assert answered(connection).status == 413
        sent = 0
        with suppress(BrokenPipeError, ConnectionResetError):
            while sent < 100 * MEGABYTE:
                connection.sendall(b" " * MEGABYTE)
                sent += MEGABYTE
        assert sent < 10 * MEGABYTE


def test_an_endless_body_in_chunks_is_refused(server: Server) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * MEGABYTE

    with in_time(server), suppress(requests.ConnectionError):  # it hung up while the body was still being sent
        headers = {"Content-Type": "application/json"}
        answer = requests.post(f"{server.url}/api/auth/login", data=chunks(), headers=headers, timeout=5)
        assert answer.status_code == 413


def test_a_packed_body_is_not_unpacked(server: Server) -> None:
    bomb = gzip.compress(b" " * (50 * MEGABYTE))
    assert len(bomb) < 60_000
    for headers in (b"Content-Encoding: gzip\r\n", b"Content-Encoding: x-gzip, identity\r\n"):
        assert answer_in_time(server, with_body(bomb, headers)).status == 415
    assert answer_in_time(server, with_body(bomb)).status == 400, "it is no JSON"


@pytest.mark.parametrize("sent", [get(b"/" + b"a" * 10 * MEGABYTE), get(b"/?" + b"a=1&" * (3 * MEGABYTE)),
                                  get(b"/", b"X: " + b"a" * 10 * MEGABYTE + b"\r\n"), get(b"/", b"X: a\r\n" * MEGABYTE),
                                  b"a" * 10 * MEGABYTE, b"\r\n" * 5 * MEGABYTE],
                         ids=["path", "query", "header", "headers", "no line", "blank lines"])  # fmt: skip
def test_long_heads(server: Server, sent: bytes) -> None:
    """Answered, or hung up on while they are still being sent."""
    answer = answer_in_time(server, sent)
    assert answer.status in {0, 400, 414, 431}


def test_forms_are_as_short_as_other_bodies(server: Server) -> None:
    for form in ({"username": "a" * 70_000}, {str(number): "" for number in range(20_000)}):
        with in_time(server), suppress(requests.ConnectionError):
            answer = requests.post(f"{server.url}/sign-in", data=form, headers={"Origin": server.url}, timeout=5)
            assert answer.status_code == 413


def test_answers_have_a_largest_size(server: Server) -> None:
    """A page is never longer than its limit, and the limit has an end."""
    admin = ("admin", ADMIN_PASSWORD)
    assert len(requests.get(f"{server.url}/api/logs?limit=1000", auth=admin, timeout=5).content) < MEGABYTE
    assert requests.get(f"{server.url}/api/logs?limit=1001", auth=admin, timeout=5).status_code == 400
