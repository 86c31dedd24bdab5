"""HTTP by hand, for what no client library would send."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import NamedTuple

from tests.clients import basic
from tests.conftest import ADMIN_PASSWORD
from tests.e2e.server import Server

ADMIN = f"Authorization: {basic('admin', ADMIN_PASSWORD)}\r\n".encode()
LOGIN = b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


class Answered(NamedTuple):
    """What came back until the server hung up; the status is 0 where nothing did."""

    status: int
    headers: dict[str, str]
    body: bytes


def connected(server: Server, seconds: float = 5.0, receive_buffer: int = 0) -> socket.socket:
    """A connection of one's own, with a receive buffer of so many bytes where that is given."""
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(seconds)
    connection.connect(("127.0.0.1", server.port))
    return connection


def asked(server: Server, sent: bytes, seconds: float = 5.0) -> Answered:
    """Send these bytes, and read what is answered until the server hangs up or says so much."""
    with connected(server, seconds) as connection:
        with suppress(ConnectionResetError, BrokenPipeError):  # it was answered before all was sent
            connection.sendall(sent)
        return answered(connection)


def answered(connection: socket.socket) -> Answered:
    """One answer, by its Content-Length or to the end."""
    found = b""
    try:
        while block := connection.recv(1 << 16):
            found += block
            head, end, body = found.partition(b"\r\n\r\n")
            length = _headers(head).get("content-length") if end else None
            if length is not None and len(body) >= int(length):
                break
    except (TimeoutError, ConnectionResetError):
        pass
    head, _, body = found.partition(b"\r\n\r\n")
    return Answered(int(head.split()[1]) if head else 0, _headers(head), body)


def get(path: bytes, headers: bytes = b"") -> bytes:
    """A request whose answer is the connection's last."""
    return b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + b"\r\n"


def _headers(head: bytes) -> dict[str, str]:
    """By name in lower case."""
    lines = (line.decode("latin-1").partition(":") for line in head.split(b"\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in lines}
