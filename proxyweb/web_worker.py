"""gunicorn's threaded worker, taking a thread only for a request that has arrived whole.

As it comes, a connection that is silent holds a thread for 5 s and one that stops in the middle of its headers holds
it for ever: eight of them, and nobody is answered. Here they wait in the poller, at no cost, and are closed after
ARRIVAL_SECONDS. Only TCP on Linux waits; what connects through a Unix socket is a reverse proxy that does this itself.
"""

from __future__ import annotations

import re
import socket
import sys
import time
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

ARRIVAL_SECONDS = 10.0
LONGEST_BODY = 64 * 1024
LONGEST_HEAD = 64 * 1024
END_OF_HEAD = b"\r\n\r\n"
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked", re.IGNORECASE)
LAST_CHUNK = b"0\r\n\r\n"


class Worker(ThreadWorker):  # type: ignore[misc]
    """`worker_class` of `proxyweb serve`."""

    def enqueue_req(self, conn: Any) -> None:
        """Called in the main thread whenever a connection may have a request."""
        arrived = _arrived(conn)
        if arrived is None or is_whole(arrived):
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            conn.data_ready, conn.arrival_ends = True, None
            super().enqueue_req(conn)
            return
        if getattr(conn, "arrival_ends", None) is None:
            conn.arrival_ends = time.monotonic() + ARRIVAL_SECONDS
        conn.timeout = conn.arrival_ends
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, len(arrived) + 1)  # wake up for more than this
        conn.sock.setblocking(False)
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))


def is_whole(arrived: bytes) -> bool:
    """Whether these are all bytes of a request, or so many that it is refused without reading the rest."""
    head, end, body = arrived.partition(END_OF_HEAD)
    if not end:
        return len(arrived) >= LONGEST_HEAD
    if length := CONTENT_LENGTH.search(head + b"\r\n"):
        return len(body) >= int(length[1]) or int(length[1]) > LONGEST_BODY
    if CHUNKED.search(head):
        return body.endswith(LAST_CHUNK) or len(body) > LONGEST_BODY
    return True


def _arrived(conn: Any) -> bytes | None:
    """What is in the socket, left there; None when that can't be known or the other side has hung up."""
    if sys.platform != "linux" or conn.sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    if conn.parser is not None and conn.parser.unreader.buf.getvalue():
        return None  # the beginning was read together with the request before
    try:
        arrived: bytes = conn.sock.recv(LONGEST_HEAD + LONGEST_BODY, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b""
    except OSError:
        return None
    return arrived or None
