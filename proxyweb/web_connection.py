"""A connection that keeps no thread waiting: neither for a client that reads slowly, nor for one that stops sending."""

from __future__ import annotations

import errno
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

READ_SECONDS = 0.5  # a thread reads what has arrived already, so it never waits for long
PROXY_READ_SECONDS = 10.0  # on a Unix socket nothing is known beforehand
STALLED_SECONDS = 10.0
MOST_UNSENT = 2 * 1024 * 1024
KERNEL_KEEPS = 256 * 1024  # it would keep up to 4 MB for a client that does not read


class Socket(socket.socket):
    """Sends what the client takes at once, and keeps the rest for whoever has time to wait.

    A thread waits only with more than MOST_UNSENT bytes kept, which exports have and other answers hardly, and no
    longer than STALLED_SECONDS for a client that takes nothing.
    """

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        super().setblocking(False)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_KEEPS)
        self.unsent = 0
        self._rest: deque[memoryview] = deque()
        self._patience: float | None = 0.0

    def setblocking(self, flag: bool) -> None:
        """gunicorn's threads read blocking; here that has an end."""
        patience = READ_SECONDS if self.family in (socket.AF_INET, socket.AF_INET6) else PROXY_READ_SECONDS
        self.settimeout(patience if flag else 0.0)

    def settimeout(self, value: float | None) -> None:
        self._patience = value

    def gettimeout(self) -> float | None:
        return self._patience

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Waits as long as `settimeout` said, and then takes the client for gone. Raises OSError."""
        try:
            return super().recv(size, flags)
        except BlockingIOError:
            if self._patience == 0.0 or flags & socket.MSG_DONTWAIT:
                raise
        if not self._is_ready(select.POLLIN, self._patience):
            raise ConnectionResetError(errno.ECONNRESET, "the request did not come whole")
        return super().recv(size, flags)

    def send(self, data: Any, flags: int = 0, /) -> int:
        self.sendall(data)
        return len(data)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        self._rest.append(memoryview(data))
        self.unsent += len(data)
        self.send_rest()
        while self.unsent > MOST_UNSENT:
            if not self._is_ready(select.POLLOUT, STALLED_SECONDS):
                self._give_up()
                raise ConnectionResetError(errno.ECONNRESET, "the client takes nothing")
            self.send_rest()

    def send_rest(self) -> None:
        """Send as much as goes without waiting. Raises OSError when the client is gone."""
        while self._rest:
            try:
                sent = super().send(self._rest[0])
            except BlockingIOError:
                return
            self.unsent -= sent
            if sent == len(self._rest[0]):
                self._rest.popleft()
            else:
                self._rest[0] = self._rest[0][sent:]

    def close(self) -> None:
        """A thread closes it when an answer breaks off, whatever of it was not sent: nobody is to wait for that."""
        self._give_up()
        super().close()

    def _give_up(self) -> None:
        self._rest.clear()
        self.unsent = 0

    def _is_ready(self, event: int, seconds: float | None) -> bool:
        waiting = select.poll()
        waiting.register(self, event)
        return bool(waiting.poll(None if seconds is None else seconds * 1000))


class Connection(TConn):  # type: ignore[misc]
    """gunicorn's, on such a socket. `linger` closes it once the client has had time to read; `ends` is by when what it
    waits for must have happened (monotonic seconds)."""

    def __init__(
        self, cfg: Any, accepted: socket.socket, client: Any, server: Any, linger: Callable[..., None]
    ) -> None:
        super().__init__(cfg, Socket(accepted), client, server)
        self.begun = time.monotonic()
        self.ends: float | None = None
        self.passed_over = 0
        self._linger = linger

    def close(self, graceful: bool = False) -> None:
        if graceful:
            self._linger(self)
        else:
            super().close()
