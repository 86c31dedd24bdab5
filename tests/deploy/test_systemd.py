"""The systemd units: systemd takes them, they leave little open, and the program runs in what they leave."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.conftest import ADMIN_PASSWORD
from tests.e2e.program import command
from tests.e2e.server import Server
from tests.test_supervisor import wait_for

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
INSTALLED = "/opt/proxyweb/.venv/bin/proxyweb"
SERVICES = ("proxyweb", "proxyweb-backup", "proxyweb-clear-old")
MOST_EXPOSED = 15  # in tenths: systemd calls up to 2.0 safe
ONLY_OF_COMMANDS = {"PrivateNetwork=yes"}

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with a program that is there."""
    folder = tmp_path / "units"
    folder.mkdir()
    for path in UNITS.iterdir():
        unit = path.read_text()
        assert INSTALLED in unit or path.suffix == ".timer"
        (folder / path.name).write_text(unit.replace(INSTALLED, str(Path(sys.executable).with_name("proxyweb"))))
    return folder


def analyze(*words: str) -> str:
    ended = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


@needs_systemd
def test_systemd_understands_every_line(units: Path) -> None:
    assert analyze("verify", "--man=no", *map(str, sorted(units.iterdir()))) == ""


@needs_systemd
@pytest.mark.parametrize("service", SERVICES)
def test_little_is_left_open(units: Path, service: str) -> None:
    analyze("security", "--offline=yes", f"--threshold={MOST_EXPOSED}", "--no-pager", str(units / f"{service}.service"))


def sandbox(service: str) -> list[str]:
    """The lines that say what a service may do."""
    _, _, rest = (UNITS / f"{service}.service").read_text().partition("\n# What it may do")
    return [line for line in rest.partition("[Install]")[0].splitlines()[1:] if line]


def test_what_runs_beside_the_server_may_do_no_more() -> None:
    for service in SERVICES[1:]:
        ours = [line for line in sandbox(service) if line not in ONLY_OF_COMMANDS]
        assert ours == [line.replace(" AF_INET AF_INET6", "") for line in sandbox("proxyweb")], service
    assert "NoNewPrivileges=yes" in sandbox("proxyweb")


REFUSE = "import ctypes, sys; sys.exit(9) if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) else None"
"""PR_SET_MDWE, which is for every process that comes from this one (prctl(2))."""


@pytest.fixture
def refusing() -> list[str]:
    """The beginning of a command that may have no memory that is both written and run, as MemoryDenyWriteExecute has
    it."""
    if subprocess.run([sys.executable, "-c", REFUSE], check=False).returncode:
        pytest.skip("this kernel can't refuse such memory (Linux 6.3)")
    return [sys.executable, "-c", f"{REFUSE}; import os; os.execv(sys.argv[1], sys.argv[1:])"]


def test_the_patterns_need_no_memory_that_is_both_written_and_run(judging: Path, refusing: list[str]) -> None:
    attack = {"id": 1, "url": "http://shop.test/?id=1%20union%20select%20a,b%20from%20t"}
    checked = command(judging, Path("/nowhere"), "waf", "check", by=refusing, given=json.dumps(attack) + "\n")
    assert json.loads(checked.stdout)["categories"] == ["SQL_INJECTION"], checked.stderr


def test_nor_does_the_server(instance: Path, refusing: list[str]) -> None:
    server = Server(instance, by=refusing)
    try:
        wait_for(server.healthy, 30)
        tried = requests.post(
            f"{server.url}/api/waf/test-rule", json={"regex": "x+y"}, auth=("admin", ADMIN_PASSWORD), timeout=5
        )
        assert tried.status_code == 200, "the password and RE2 do without, too"
    finally:
        server.stop()
