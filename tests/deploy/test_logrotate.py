"""logrotate, with the configuration that comes with the program, takes no line from a follower."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import Follow
from tests.faults.checking import exact, writing
from tests.ingest.following import Writer

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "logrotate" / "squid"
PATTERN, TELL_SQUID = "/var/log/squid/*.log", re.compile(r"test ! -e /run/squid.pid .*")


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    (tmp_path / "logs").mkdir(mode=0o755)
    writer = Writer(tmp_path / "logs" / "access.log")
    writer.write(1)
    yield writer
    writer.close()


def test_no_line_is_lost_or_read_twice(instance: Path, writer: Writer, tmp_path: Path) -> None:
    """Squid is told through a FIFO, and takes its time."""
    told = tmp_path / "told"
    os.mkfifo(told)
    configuration = tmp_path / "logrotate.conf"
    shipped = CONFIGURATION.read_text()
    assert TELL_SQUID.search(shipped)
    configuration.write_text(
        TELL_SQUID.sub(f"echo rotate >{told}", shipped.replace(PATTERN, str(writer.path.with_name("*.log"))))
    )
    configuration.chmod(0o644)

    def rotate() -> None:
        rotation = ["logrotate", "--force", "--state", str(tmp_path / "state"), str(configuration)]
        environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
        subprocess.run(rotation, env=environment, check=True, timeout=30)

    def squid(times: int) -> None:
        for _ in range(times):
            with open(told) as fifo:
                assert fifo.read() == "rotate\n"
            time.sleep(0.2)
            writer.reopen()

    rotations = 4
    with Follow(instance, writer.path) as follow:
        follow.wait(lambda: follow.count() == 1, 30)
        listening = threading.Thread(target=squid, args=(rotations,), daemon=True)
        listening.start()
        with writing(writer, 3000):
            for number in range(rotations):
                if number == 2:
                    follow.kill()  # is down for a rotation
                rotate()
                time.sleep(0.4)
                if number == 2:
                    follow.start()
        listening.join(10)
        exact(follow, writer)
    rotated = sorted(path.name for path in writer.path.parent.iterdir())
    assert rotated == ["access.log", "access.log.1", *(f"access.log.{number}.gz" for number in range(2, rotations + 1))]
    with gzip.open(writer.path.with_name("access.log.2.gz")) as archive:
        assert archive.readline()
