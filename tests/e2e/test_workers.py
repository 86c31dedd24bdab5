"""Both workers of the web server answer, also when connections come together."""

from __future__ import annotations

import http.client
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.server import Server
from tests.faults.test_killed import is_of, serving
from tests.test_supervisor import wait_for

TOGETHER, ROUNDS = 8, 20
REQUEST = b"GET /api/health HTTP/1.1\r\nHost: proxyweb\r\n\r\n"


@pytest.fixture
def server(instance: Path) -> Iterator[Server]:
    """One whose workers have both begun."""
    with serving(instance) as server:
        wait_for(lambda: len(server.descendants()) == 3 and fewest(server) > 0, 30)
        yield server


def held(pid: int) -> set[str]:
    """The inodes of a process' sockets."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.add(str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]"))
    return found


def accepted(server: Server, clients: list[socket.socket]) -> set[str]:
    """The inodes of the server's ends of these connections."""
    ports = {client.getsockname()[1] for client in clients}
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, *_, inode = line.split()[:10]
        if int(local.rpartition(":")[2], 16) == server.port and int(remote.rpartition(":")[2], 16) in ports:
            inodes.add(inode)
    return inodes


def shares(server: Server, clients: list[socket.socket]) -> list[int]:
    """How many of these connections each worker has."""
    inodes = accepted(server, clients)
    return [len(held(worker) & inodes) for worker in server.descendants() if is_of(worker, "worker")]


def fewest(server: Server) -> int:
    """Of the connections that come together, how many the worker has that gets fewer."""
    clients = [socket.socket() for _ in range(TOGETHER)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", server.port))
    for client in clients:
        client.settimeout(30)
        client.sendall(REQUEST)
    for client in clients:
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
    found = shares(server, clients)
    for client in clients:
        client.close()
    assert sum(found) == TOGETHER
    return min(found)


def test_connections_that_come_together_are_shared(server: Server) -> None:
    rounds = [fewest(server) for _ in range(ROUNDS)]
    assert sum(share >= TOGETHER // 2 - 1 for share in rounds) > ROUNDS * 2 // 3, rounds


def test_a_worker_that_comes_later_gets_its_share(server: Server) -> None:
    """Of connections that never rest, which were all made while the other worker was alone."""
    victim = next(worker for worker in server.descendants() if is_of(worker, "worker"))
    os.kill(victim, signal.SIGKILL)
    clients = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=30) for _ in range(TOGETHER)]

    def are_shared() -> bool:
        for client in clients:
            client.request("GET", "/api/health")
            assert client.getresponse().read()
        found = shares(server, [client.sock for client in clients if client.sock])
        return len(found) == 2 and min(found) >= TOGETHER // 4

    assert not are_shared()
    wait_for(are_shared, 60)
    for client in clients:
        client.close()
