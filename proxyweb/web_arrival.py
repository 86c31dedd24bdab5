"""Whether a request has arrived whole, told from its first bytes without taking them from the socket."""

from __future__ import annotations

import re
import socket
import sys
from typing import Any

LONGEST_BODY = 64 * 1024
LONGEST_HEAD = 64 * 1024
MOST_CHUNKS = 1000  # a client that needs more for 64 KB wants to keep us busy
END_OF_HEAD = b"\r\n\r\n"
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked", re.IGNORECASE)
CHUNK_SIZE = re.compile(rb"[ \t]*([0-9a-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n", re.IGNORECASE)
TCP_ESTABLISHED = 1


class NeverWhole(Exception):
    """What arrived is the beginning of nothing that is answered."""


def arrived(conn: Any) -> bytes | None:
    """What has come of the next request, left where it is; None when that can't be known or the other side is gone.

    It can't be known of a Unix socket: what connects there is a reverse proxy that waits for whole requests itself.
    """
    if sys.platform != "linux" or conn.sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    before = read_ahead(conn)
    try:
        peeked: bytes = conn.sock.recv(LONGEST_HEAD + LONGEST_BODY, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return before
    except OSError:
        return None
    return before + peeked or None


def read_ahead(conn: Any) -> bytes:
    """What was taken from the socket together with the request before."""
    return bytes(conn.parser.unreader.buf.getvalue()) if conn.parser is not None else b""


def ends_here(sock: socket.socket) -> bool:
    """Whether the other side has said that nothing more comes. Such a socket is always readable: nobody may wait."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != TCP_ESTABLISHED


def missing(arrived: bytes) -> int:
    """How many bytes have to come at least until this is a whole request; 0 when it is one, or when it is so large that
    it is refused without reading the rest. Raises NeverWhole."""
    head, end, body = arrived.partition(END_OF_HEAD)
    if not end:
        return 0 if len(arrived) >= LONGEST_HEAD else 1
    if length := CONTENT_LENGTH.search(head + b"\r\n"):
        return max(0, int(length[1]) - len(body)) if int(length[1]) <= LONGEST_BODY else 0
    if CHUNKED.search(head):
        return 0 if len(body) > LONGEST_BODY else _missing_of_chunks(body)
    return 0


def _missing_of_chunks(body: bytes) -> int:
    at = 0
    for _ in range(MOST_CHUNKS):
        if not (size := CHUNK_SIZE.match(body, at)):
            return 0 if b"\r\n" in body[at:] else 1  # no size: refused as it is
        data = int(size[1], 16)
        if data == 0:
            return 0 if END_OF_HEAD in body[size.end() - 2 :] else 1
        at = size.end() + data + 2
        if at > len(body):
            return at - len(body) + len(b"0\r\n\r\n")
    raise NeverWhole
