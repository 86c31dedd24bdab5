"""A small web server on loopback for Squid to talk to, and a TCP target for CONNECT.

Standard HTTP libraries refuse what proxies meet in the wild (blanks in a target, raw
bytes in a header), so the request is read and the reply written as bytes here.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time
from email.utils import formatdate
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote_to_bytes

LAST_MODIFIED = "Sat, 04 Jan 2025 10:00:00 GMT"
MAX_BODY = 64 * 1024 * 1024


def has_ipv6() -> bool:
    """Whether ::1 can be bound here (containers often have no IPv6 at all)."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def free_port() -> int:
    """A TCP port that nobody holds on 127.0.0.1 nor, where there is IPv6, on ::1."""
    while True:
        with socket.socket() as v4:
            v4.bind(("127.0.0.1", 0))
            port = int(v4.getsockname()[1])
            if not has_ipv6():
                return port
            with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as v6:
                v6.bind(("::1", port))
                return port


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False


class _ServerV6(_Server):
    address_family = socket.AF_INET6


class _Echo(socketserver.BaseRequestHandler):
    """Sends back whatever arrives, until the other side closes."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(65536):
                self.request.sendall(data)


class _Http(socketserver.StreamRequestHandler):
    """HTTP/1.1, keep-alive, one answer a path: see :class:`Origin`."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while self._one_request():
                pass

    def _one_request(self) -> bool:
        request_line = self.rfile.readline(1 << 17)
        if not request_line.strip():
            return False
        method, _, rest = request_line.rstrip(b"\r\n").partition(b" ")
        target, _, version = rest.rpartition(b" ")
        headers: dict[bytes, bytes] = {}
        while line := self.rfile.readline(1 << 17).strip():
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        self.rfile.read(min(int(headers.get(b"content-length", b"0")), MAX_BODY))
        status, extra, body = _answer(target, headers)
        self._reply(method, status, extra, body)
        return version == b"HTTP/1.1" and headers.get(b"connection", b"").lower() != b"close"

    def _reply(self, method: bytes, status: int, extra: list[bytes], body: bytes) -> None:
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Unknown"
        head = [f"HTTP/1.1 {status} {phrase}".encode(), f"Date: {formatdate(usegmt=True)}".encode(), *extra]
        if status != HTTPStatus.NOT_MODIFIED:
            head.append(b"Content-Length: %d" % len(body))
        without_body = method == b"HEAD" or status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
        self.wfile.write(b"\r\n".join(head) + b"\r\n\r\n" + (b"" if without_body else body))


def _answer(target: bytes, headers: dict[bytes, bytes]) -> tuple[int, list[bytes], bytes]:
    """Status, header lines and body for a request target (``/path?query``)."""
    path, _, query = target.decode("latin-1").partition("?")
    head, _, tail = path.lstrip("/").partition("/")
    html = [b"Content-Type: text/html"]
    if head.isdecimal() and len(head) == 3:
        return int(head), html, f"<p>{head}</p>".encode()
    if head == "bytes" and tail.isdecimal():
        return 200, [b"Content-Type: application/octet-stream"], b"x" * min(int(tail), MAX_BODY)
    if head == "type":
        wanted = parse_qs(query, encoding="latin-1").get("ct", [""])[0].encode("latin-1")
        return 200, [b"Content-Type: " + wanted] if wanted else [], b"typed"
    if head in ("cache", "stale"):
        age = "3600" if head == "cache" else "0, must-revalidate"
        extra = [
            f"Cache-Control: public, max-age={age}".encode(),
            f"Last-Modified: {LAST_MODIFIED}".encode(),
            b'ETag: "one"',
        ]
        if headers.get(b"if-none-match") == b'"one"' or b"if-modified-since" in headers:
            return 304, extra, b""
        return 200, html + extra, b"cached" * 100
    if head == "slow" and tail.isdecimal():
        time.sleep(int(tail) / 1000)
    if head == "header":
        return 200, [unquote_to_bytes(query)], b"with a header"
    return 200, html, b"ok"


class Origin:
    """The web server and the TCP target, on 127.0.0.1 and, where there is IPv6, on ::1.

    =================  =============================================================
    ``/NNN``           an answer of that status: ``/403``, ``/404``, ``/500``
    ``/bytes/N``       N bytes of ``application/octet-stream``
    ``/type?ct=…``     that Content-Type, byte for byte; without ``ct`` none at all
    ``/header?…``      that header line, percent-decoded, beside Date and Content-Length
    ``/cache``         may be kept for an hour; ``/stale`` must be asked for again
    ``/slow/N``        answers after N milliseconds
    anything else      200, ``ok``
    =================  =============================================================
    """

    def __init__(self, port: int | None = None, tunnel_port: int | None = None) -> None:
        self.port = port or free_port()
        """Of the web server, the same on both addresses."""
        self.tunnel_port = tunnel_port or free_port()
        """Of the TCP target, which echoes."""
        self._servers: list[_Server] = []

    def url(self, path: str = "/ok", host: str = "origin.test") -> str:
        """An absolute URL of this origin under a name of the hosts file."""
        return f"http://{host}:{self.port}{path}"

    def __enter__(self) -> Self:
        for port, handler in ((self.port, _Http), (self.tunnel_port, _Echo)):
            self._servers.append(_Server(("127.0.0.1", port), handler))
            if has_ipv6():
                self._servers.append(_ServerV6(("::1", port), handler))
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers.clear()
