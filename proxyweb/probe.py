"""Whether Squid is there: a TCP connection, tried at most every few seconds."""

from __future__ import annotations

import socket
import threading

CONNECT_SECONDS = 0.3
REMEMBER_SECONDS = 5.0


class ProxyProbe:
    """Remembers its answer for 5 s; while one thread tries, the others wait for what it finds."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._lock = threading.Lock()
        self._running = False
        self._until = 0.0

    def running(self, now: float) -> bool:
        """Whether something accepts connections there. `now` is Unix seconds."""
        with self._lock:
            if not self._until - REMEMBER_SECONDS <= now < self._until:
                self._running = self._try()
                self._until = now + REMEMBER_SECONDS
            return self._running

    def _try(self) -> bool:
        try:
            with socket.create_connection(self._address, timeout=CONNECT_SECONDS):
                return True
        except OSError:
            return False
