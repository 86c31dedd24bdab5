"""`proxyweb serve` as a process of its own: real gunicorn on a port that was free."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import requests


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        return int(chosen.getsockname()[1])


class Server:
    """A running `proxyweb serve` on a port of its own."""

    def __init__(self, instance: Path, by: Sequence[str] = (), **variables: str) -> None:
        """`by` is a command that runs it."""
        self.instance = instance
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        given = {"INSTANCE": str(instance), "ACCESS_LOG": "", "BIND": f"127.0.0.1:{self.port}", **variables}
        self.process = subprocess.Popen(
            [*by, sys.executable, "-m", "proxyweb", "serve"],
            env={**os.environ, **{f"PROXYWEB_{name}": value for name, value in given.items()}},
            cwd=instance.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            umask=0,
        )

    def healthy(self) -> bool:
        try:
            return requests.get(f"{self.url}/api/health", timeout=5).status_code == 200
        except (requests.ConnectionError, requests.Timeout):  # not up yet, or the machine is busy
            assert self.process.poll() is None, self.process.communicate()[0]
            return False

    def stop(self) -> str:
        """End it and give back what it said."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.communicate(timeout=10)[0]

    def descendants(self) -> list[int]:
        """The processes below the supervisor."""
        found: list[int] = []
        look = [self.process.pid]
        while look:
            parent = look.pop(0)
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                below = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
                found += map(int, below)
                look += map(int, below)
        return found
