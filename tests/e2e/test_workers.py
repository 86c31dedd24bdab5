"""Both workers of the web server answer, also when connections come together."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

from tests.e2e.server import Server
from tests.faults.test_killed import is_of, serving
from tests.test_supervisor import wait_for

TOGETHER, ROUNDS = 8, 20
REQUEST = b"GET /api/health HTTP/1.1\r\nHost: proxyweb\r\n\r\n"


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


def fewest(server: Server, workers: list[int]) -> int:
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
    inodes = accepted(server, clients)
    shares = [len(held(worker) & inodes) for worker in workers]
    for client in clients:
        client.close()
    assert sum(shares) == TOGETHER
    return min(shares)


def test_connections_that_come_together_are_shared(instance: Path) -> None:
    with serving(instance) as server:
        workers = [pid for pid in server.descendants() if is_of(pid, "worker")]
        assert len(workers) == 2
        wait_for(lambda: fewest(server, workers) > 0, 30)  # the second one has begun, too
        rounds = [fewest(server, workers) for _ in range(ROUNDS)]
    assert sum(share >= TOGETHER // 2 - 1 for share in rounds) > ROUNDS * 2 // 3, rounds
