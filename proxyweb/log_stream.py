"""A stream for the program's log that never waits for whoever reads it.

A pipe that nobody reads is full after 64 KB, and a write to it waits for ever: a reader of the log that hangs would
stop the requests that have something to say, and with them whatever waits for their locks. Here a line that does not
fit is dropped, and once there is room again it is told how many were. The pipe itself is the buffer.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO


class Dropping:
    """Takes a line a write, as `logging.StreamHandler` gives them; `told` makes the line about those that it dropped.

    `send` writes some of the bytes and tells how many, or raises OSError.
    """

    def __init__(self, send: Callable[[bytes], int], told: Callable[[str], str]) -> None:
        self._send, self._told = send, told
        self._rest = b""
        self._dropped = 0

    def write(self, line: str) -> None:
        if self._dropped and self._sent(self._told(_were_dropped(self._dropped)).encode()):
            self._dropped = 0
        if self._dropped or not self._sent(line.encode("utf-8", "backslashreplace")):
            self._dropped += 1

    def _sent(self, line: bytes) -> bool:
        """Whether the line is on its way. What has begun is finished first, so that lines stay whole."""
        with suppress(OSError):
            self._rest = self._rest[self._send(self._rest) :] if self._rest else b""
            if not self._rest:
                self._rest = line[self._send(line) :]
                return True
        return False

    def flush(self) -> None:
        """There is nothing that could be sent earlier."""


def stderr(told: Callable[[str], str]) -> TextIO | Dropping:
    """This process's stderr, which never waits where it could: a pipe, a socket (systemd's journal) or a terminal."""
    try:
        descriptor = sys.stderr.fileno()
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISSOCK(kind):
            journal = socket.socket(fileno=os.dup(descriptor))
            return Dropping(lambda line: journal.send(line, socket.MSG_DONTWAIT), told)
        if stat.S_ISFIFO(kind) or os.isatty(descriptor):
            # Opened anew: that it does not wait is then this process's business alone, and not of all who share it.
            own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            return Dropping(lambda line: os.write(own, line), told)
    except (OSError, ValueError):  # no /proc, another user's terminal, or no file at all
        pass
    return sys.stderr


def _were_dropped(lines: int) -> str:
    messages = "a message was" if lines == 1 else f"{lines} messages were"
    return f"{messages} dropped here: whoever reads this log did not read"
