"""The supervisor with small programs: restarts, gives up, ends all, and is not outlived."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from proxyweb.supervisor import Child, Program

RUN = """
import sys
from pathlib import Path
from proxyweb.supervisor import Program, supervise
def program(name, code, fatal=False):
    return Program(name, (sys.executable, "-c", code), {}, Path("."), fatal_at_start=fatal)
FOREVER = "import os, time; open(f'{os.getpid()}.pid', 'w').close(); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + FOREVER
"""


def start(folder: Path, programs: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", f"{RUN}\nsys.exit(supervise([{programs}]))"],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def pids(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob("*.pid"))


def running(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path, "program('a', FOREVER), program('b', FOREVER)")
    wait_for(lambda: len(pids(tmp_path)) == 2)
    process.send_signal(number)
    process.communicate(timeout=5)
    assert process.returncode == 0
    assert not any(running(pid) for pid in pids(tmp_path))


def test_what_does_not_end_is_killed_within_5_s(tmp_path: Path) -> None:
    process = start(tmp_path, "program('a', STUBBORN)")
    wait_for(lambda: pids(tmp_path))
    started = time.monotonic()
    process.terminate()
    process.communicate(timeout=6)
    assert time.monotonic() - started < 5
    assert process.returncode == 0
    assert not running(pids(tmp_path)[0])


def test_a_crash_is_followed_by_a_new_start(tmp_path: Path) -> None:
    process = start(tmp_path, "program('follower', FOREVER)")
    wait_for(lambda: pids(tmp_path))
    os.kill(pids(tmp_path)[0], signal.SIGKILL)
    wait_for(lambda: len(pids(tmp_path)) == 2)
    process.terminate()
    _, said = process.communicate(timeout=5)
    assert process.returncode == 0
    assert "the follower ended with exit code -9 and is started again" in said


def test_one_that_never_starts_ends_the_rest(tmp_path: Path) -> None:
    process = start(tmp_path, "program('web server', 'raise SystemExit(3)', fatal=True), program('b', FOREVER)")
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "the web server does not start (exit code 3)" in said
    assert not any(running(pid) for pid in pids(tmp_path))


def test_one_that_is_killed_again_and_again_is_started_again(tmp_path: Path) -> None:
    """It is no reason to end the rest that somebody, or a machine without memory, kills it."""
    process = start(tmp_path, "program('web server', FOREVER, fatal=True)")
    for number in range(4):
        wait_for(lambda number=number: len(pids(tmp_path)) > number)  # type: ignore[misc]
        os.kill(next(pid for pid in pids(tmp_path) if running(pid)), signal.SIGKILL)
    wait_for(lambda: len(pids(tmp_path)) == 5)
    process.terminate()
    process.communicate(timeout=5)
    assert process.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_children_do_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    process = start(tmp_path, "program('a', STUBBORN)")
    wait_for(lambda: pids(tmp_path))
    process.kill()
    process.communicate(timeout=5)
    wait_for(lambda: not running(pids(tmp_path)[0]), 2)


def test_the_delay_grows_and_has_an_end(tmp_path: Path) -> None:
    child = Child(Program("a", (sys.executable, "-c", ""), {}, tmp_path), lambda: None)
    delays = []
    for _ in range(7):
        child.start()
        assert child.process is not None
        child.process.wait()
        before = time.monotonic()
        assert child.ended() == 0
        delays.append(round(child.due - before, 1))
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
