"""`proxyweb demo` as people run it: it starts, answers, grows, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
import requests

from tests.e2e.server import free_port
from tests.test_supervisor import running, wait_for

REQUESTS = 20_000


class Demo:
    """A running `proxyweb demo`, with its temporary folder inside `folder`; killed at the end of the block at last."""

    def __init__(self, folder: Path, port: int, lines: int = REQUESTS) -> None:
        self.folder = folder
        self.url = self.password = ""
        self._said = folder.with_name("said.txt")
        self._command = [sys.executable, "-m", "proxyweb", "demo", "--requests", str(lines), "--port", str(port)]

    def __enter__(self) -> Self:
        with self._said.open("w") as out:
            self.process = subprocess.Popen(
                self._command,
                env={**os.environ, "TMPDIR": str(self.folder), "PROXYWEB_BIND": "192.0.2.1:1"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def is_ready(self) -> bool:
        """Whether it has said where it is and how to sign in."""
        said = self._said.read_text()
        assert self.process.poll() is None, said
        found = re.search(r"^Ready after \d+ s: (\S+)\nSign in as admin with the password (\S+)$", said, re.MULTILINE)
        if found:
            self.url, self.password = found.groups()
        return found is not None

    def total(self) -> int:
        answer = requests.get(f"{self.url}/api/logs/stats", auth=("admin", self.password), timeout=10)
        assert answer.status_code == 200
        return int(answer.json()["data"]["total_count"])

    def pids(self) -> list[int]:
        """What works in its folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if str(self.folder) in str((process / "cwd").readlink()):
                    found.append(int(process.name))
            except OSError:
                continue
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "temporary"
    made.mkdir()
    return made


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else has."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        yield port


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_starts_grows_and_leaves_nothing(folder: Path, taken: int, number: signal.Signals) -> None:
    with Demo(folder, taken) as demo:
        wait_for(demo.is_ready, 60)
        assert demo.url.startswith("http://127.0.0.1:")
        assert taken < int(demo.url.rpartition(":")[2]) < taken + 50
        before = demo.total()
        assert before >= REQUESTS
        wait_for(lambda: demo.total() > before + 10, 20)
        summary = requests.get(f"{demo.url}/api/dashboard/summary", auth=("admin", demo.password), timeout=10).json()
        assert all(summary["data"][name] for name in ("top_blocked", "threat_categories", "recent_blocks"))
        assert summary["data"]["domain_blacklist_count"] > 3
        pids = demo.pids()
        assert len(pids) >= 4
        begun = time.monotonic()
        demo.process.send_signal(number)
        assert demo.process.wait(10) == 0
        assert time.monotonic() - begun < 6
        assert list(folder.iterdir()) == []
        wait_for(lambda: not any(map(running, pids)), 5)


def test_it_can_be_ended_before_it_is_ready(folder: Path) -> None:
    with Demo(folder, free_port(), lines=1_000_000) as demo:
        wait_for(lambda: list(folder.glob("*/instance/proxyweb.sqlite-wal")), 30)
        demo.process.send_signal(signal.SIGINT)
        demo.process.wait(20)
        assert list(folder.iterdir()) == []
