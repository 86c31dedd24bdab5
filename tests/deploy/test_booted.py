"""The units under a systemd of their own, set up as the documentation says; in `make soak`, with nothing beside it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.deploy.test_systemd import INSTALLED, SERVICES, UNITS
from tests.e2e.server import free_port
from tests.faults.checking import SOAK
from tests.ingest.factory import log, traffic
from tests.test_supervisor import wait_for

pytestmark = pytest.mark.skipif(not SOAK, reason="boots a systemd, which make soak does")
CHECKOUT = Path(__file__).parents[2]
CGROUPS = next((path for path in map(Path, ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"))
                if (path / "cgroup.controllers").exists()), None)  # fmt: skip
OURS = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--cgroup", "--ipc", "--uts")
TIMERS = ("proxyweb-clear-old.timer", "proxyweb-backup.timer")
PATIENCE = 30.0
LINES = 500
TARGET = "[Unit]\nDescription=What is started\nWants=systemd-journald.service\n"
REACHABLE = f"""[Service]
# Where this Python and these sources are may be closed to others, or be what the units hide.
ProtectHome=tmpfs
BindReadOnlyPaths={sys.base_prefix} {CHECKOUT}
"""


class Machine:
    """A systemd whose first process is `pid` here."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        units = Path(shutil.copytree(UNITS, folder / "units"))
        (units / "multi-user.target").write_text(TARGET)
        (units / "default.target").symlink_to("multi-user.target")
        for service in SERVICES:
            (units / f"{service}.service.d").mkdir()
            (units / f"{service}.service.d" / "reachable.conf").write_text(REACHABLE)
        (folder / "machine").mkdir()
        assert CGROUPS
        self._cgroup = CGROUPS / f"proxyweb-test-{os.getpid()}"
        self._cgroup.mkdir()
        self._process = subprocess.Popen(
            [*OURS, "sh", str(Path(__file__).with_name("boot.sh")), str(folder / "machine"), str(units)],
            preexec_fn=lambda: (self._cgroup / "cgroup.procs").write_text(str(os.getpid())),
            stdout=subprocess.DEVNULL,
        )
        self.pid = 0
        wait_for(self._has_begun, PATIENCE)

    def _has_begun(self) -> bool:
        assert self._process.poll() is None
        below = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self.pid = int(below[0]) if below else 0
        return bool(self.pid) and self.run("systemctl", "is-system-running", check=False).stdout == "running\n"

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command inside."""
        ended = subprocess.run(
            ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--cgroup", "--ipc", "--uts", "--root", *words],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert not check or ended.returncode == 0, (words, ended.stdout, ended.stderr, self.told())
        return ended

    def told(self) -> str:
        """What systemd says of the server, and its log."""
        words = ("systemctl", "status", "--no-pager", "--full", "--lines=100", "proxyweb")
        return self.run(*words, check=False).stdout

    def path(self, inside: str) -> Path:
        return Path(f"/proc/{self.pid}/root{inside}")

    def property(self, unit: str, name: str) -> str:
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).stdout.strip()

    def health(self) -> int:
        with suppress(requests.ConnectionError, requests.Timeout):
            return requests.get(f"http://127.0.0.1:{self.port}/api/health", timeout=5).status_code
        return 0

    def stop(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)  # and all that it began, since it is the first in its namespace
        self._process.kill()
        self._process.wait(10)
        wait_for(self._is_gone, PATIENCE)

    def _is_gone(self) -> bool:
        folders = [*self._cgroup.rglob("*/"), self._cgroup] if self._cgroup.exists() else []
        for folder in sorted(folders, reverse=True):
            with suppress(OSError):  # something in it is still ending
                folder.rmdir()
        return not self._cgroup.exists()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """With the server enabled and started, as docs/operations.md has it, and a log of Squid."""
    if not Path("/lib/systemd/systemd").exists() or not CGROUPS:
        pytest.skip("there is no systemd here, or no second version of cgroups")
    if subprocess.run([*OURS, "true"], capture_output=True, check=False).returncode:
        pytest.skip("only who may make namespaces can boot a systemd")
    machine = Machine(tmp_path_factory.mktemp("booted"))
    try:
        installed = machine.path(str(Path(INSTALLED).parents[2]))
        shutil.rmtree(installed, ignore_errors=True)
        installed.symlink_to(CHECKOUT)
        machine.path("/var/log/squid").mkdir(exist_ok=True)
        machine.path("/var/log/squid/access.log").write_bytes(log(*traffic(LINES)))
        defaults = (CHECKOUT / "deploy" / "proxyweb.env").read_text()
        machine.path("/etc/default/proxyweb").write_text(f"{defaults}\nPROXYWEB_BIND=127.0.0.1:{machine.port}\n")
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "enable", "--now", "proxyweb", *TIMERS)
        yield machine
    finally:
        machine.stop()


def password(machine: Machine) -> str:
    """The first admin's, from the journal."""
    said = machine.run("journalctl", "--no-pager", "--output=cat", "--unit=proxyweb").stdout
    found = re.findall(r"with the password (\S+)", said)
    assert len(found) == 1, said
    return str(found[0])


def test_it_serves_and_reads_the_log(machine: Machine) -> None:
    try:
        wait_for(lambda: machine.health() == 200, PATIENCE)
    except AssertionError:
        raise AssertionError(machine.told()) from None
    assert machine.run("systemctl", "is-enabled", "proxyweb").stdout == "enabled\n"
    ask = f"http://127.0.0.1:{machine.port}/api/logs/stats"
    admin = ("admin", password(machine))
    wait_for(lambda: requests.get(ask, auth=admin, timeout=10).json()["data"]["total_count"] == LINES, PATIENCE)
    assert machine.property("proxyweb", "User") == "proxy"


def test_it_reloads_without_a_gap(machine: Machine) -> None:
    machine.run("systemctl", "reload", "proxyweb")
    for _ in range(20):
        assert machine.health() == 200, machine.told()
        time.sleep(0.05)


def test_it_is_started_again(machine: Machine) -> None:
    before = machine.property("proxyweb", "MainPID")
    assert before != "0", machine.told()
    machine.run("kill", "-9", before)
    wait_for(lambda: machine.property("proxyweb", "MainPID") not in {before, "0"}, PATIENCE)
    wait_for(lambda: machine.health() == 200, PATIENCE)


@pytest.mark.parametrize("service", SERVICES[1:])
def test_what_the_timers_start(machine: Machine, service: str) -> None:
    assert f"{service}.timer" in machine.run("systemctl", "list-timers", "--no-pager").stdout
    machine.run("systemctl", "start", service)
    assert machine.property(service, "Result") == "success"


def test_the_backups_are_for_nobody_else(machine: Machine) -> None:
    kept = list(machine.path("/var/lib/proxyweb-backups").iterdir())
    assert [file.stat().st_mode & 0o777 for file in kept] == [0o600]
    assert machine.path("/var/lib/proxyweb").stat().st_mode & 0o777 == 0o750


def test_it_ends_when_told(machine: Machine) -> None:
    begun = time.monotonic()
    machine.run("systemctl", "stop", "proxyweb")
    assert time.monotonic() - begun < 6
    assert machine.property("proxyweb", "Result") == "success"
    assert machine.health() == 0
