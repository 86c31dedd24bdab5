"""A real Squid with exactly the file that `proxyweb squid-conf` writes."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest

from proxyweb.db.connection import connect
from tests.e2e.asking import change, changes, logged
from tests.e2e.origin import Origin
from tests.e2e.program import command
from tests.e2e.squid import Squid

SQL = "/?id=1%27%20union%20select%20a,b%20from%20t--"
LIMIT = 3


class Told:
    """A Squid that includes the file for an instance; started by `with`."""

    def __init__(self, instance: Path) -> None:
        self.instance = instance
        self.file = instance.parent / "proxy web.conf"
        self.squid = Squid(rules=[f'include "{self.file}"'], log_format="")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`proxyweb squid-conf WORDS` as Squid's user, told of the log by what it follows."""
        return command(self.instance, self.squid.access_log, "squid-conf", *words, by=self.squid.by)

    def write(self) -> str:
        """What writing the file says."""
        run = self.run("--output", str(self.file))
        assert run.returncode == 0, run.stderr
        return run.stdout

    def check(self) -> tuple[int, list[str]]:
        """The exit code, and what is not well."""
        run = self.run("--check", str(self.squid.config))
        assert not run.stderr
        return run.returncode, [line for line in run.stdout.splitlines() if not line.startswith("ok ")]

    def status(self, url: str) -> int:
        return self.squid.get(url).status


@pytest.fixture
def told(instance: Path, compiled: Path) -> Iterator[Told]:
    (instance / "cache").symlink_to(compiled)
    told = Told(instance)
    yield told
    told.squid.close()


def test_the_helper_and_its_lists_are_in_force_and_told_apart(told: Told, origin: Origin) -> None:
    """The file is written while everything is off, and does for everything."""
    told.write()
    with told.squid as squid:
        for url in (origin.url(SQL), origin.url(host="127.0.0.1")):
            assert told.status(url) == 200
        change(told.instance, enable_waf="true")
        changes(lambda: told.status(origin.url(SQL)), 403)
        change(told.instance, enable_waf="false", block_direct_ip="true", enable_domain_blacklist="true")
        change(told.instance, "INSERT INTO domain_blacklist VALUES (NULL, 'other.test', '', 0)")
        changes(lambda: told.status(origin.url(host="127.0.0.1")), 403)
        changes(lambda: told.status(origin.url(host="other.test")), 403)
        assert told.status(origin.url()) == 200
        change(told.instance, "INSERT INTO ip_blacklist VALUES (NULL, '127.0.0.1', '', 0)", enable_ip_blacklist="true")
        changes(lambda: told.status(origin.url()), 403)
        assert told.check() == (0, [])
        log = squid.access_log
        denied = {record.kind.reason for record in logged(squid, 8) if record.kind.status_code == 403}
        assert denied == {"waf", "policy"}
        assert command(told.instance, log, "import", str(log)).returncode == 0
        conn = connect(told.instance / "proxyweb.sqlite", readonly=True)
        rows = conn.execute(
            "SELECT destination, blocked, reason FROM proxy_log_entries WHERE status_code = 403 ORDER BY id"
        ).fetchall()
        conn.close()
    assert rows[0] == (origin.url("/?"), 1, "waf")  # Squid logs no query by default
    assert {row[1:] for row in rows[1:]} == {(1, "policy")}


def test_content_filtering(told: Told, origin: Origin) -> None:
    change(told.instance, enable_content_filtering="true", content_filter_extensions="exe,msi,com")
    told.write()
    attached = f"/header?{quote('Content-Disposition: attachment; filename=')}"
    cases = {
        "/x.exe": 403, "/X.EXE?a=b": 403, "/x.%65xe": 403, "/x.msi;id=1": 403, "/x.exe%20": 403,
        "/x.html": 200, "/x.exe.html": 200, "/x?file=x.exe": 200, "/": 200,
        f"{attached}%22setup.exe%22": 403, f"{attached}setup.MSI": 403, f"{attached}%22setup.exe.txt%22": 200,
        "/type?ct=application/x-msdownload": 403, "/type?ct=application/x-msi%3B%20a=b": 403,
        "/type?ct=application/octet-stream": 200, "/type": 200,
    }  # fmt: skip
    with Squid(rules=[f'include "{told.file}"'], log_format="", hosts={"shop.com": "127.0.0.1"}) as squid:
        squid.access_log = told.squid.access_log
        for path, status in cases.items():
            assert squid.get(origin.url(path, host="shop.com")).status == status, path
        assert squid.connect(f"shop.com:{origin.tunnel_port}", b"hello").body == b"hello"
        records = logged(squid, len(cases) + 1)
    assert {record.kind.reason for record in records if record.kind.status_code == 403} == {"policy"}
    assert {record.kind.result_code for record in records if record.kind.status_code == 403} == {
        "TCP_DENIED", "TCP_DENIED_REPLY",
    }  # fmt: skip


def test_time_restrictions(told: Told, origin: Origin) -> None:
    """Today is a working day, tomorrow is none; Squid goes by local time."""
    days = "MTWHFAS"
    today = time.localtime().tm_wday
    around = days[today - 1] + days[today] + days[(today + 1) % 7]  # midnight may pass meanwhile
    others = "".join(set(days) - set(around))
    change(told.instance, enable_time_restrictions="true", working_hours=f"{others} 00:00-24:00")
    told.write()
    with told.squid as squid:
        assert told.status(origin.url()) == 403
        assert squid.connect(f"origin.test:{origin.tunnel_port}").status == 403
        change(told.instance, working_hours=f"{others} 08:00-12:00, {around} 00:00-24:00")
        told.write()
        squid.reconfigure()
        assert told.status(origin.url()) == 200
        assert [record.kind.reason for record in logged(squid, 3)] == ["policy", "policy", ""]


def test_rate_limiting(told: Told, origin: Origin) -> None:
    """So many connections a client, another one is denied until one of them ends."""
    change(told.instance, enable_rate_limiting="true", rate_limit_connections=str(LIMIT))
    told.write()
    with told.squid as squid, ExitStack() as held:
        for _ in range(LIMIT - 1):
            held.enter_context(socket.create_connection(("127.0.0.1", squid.port)))
        changes(lambda: told.status(origin.url()), 200)
        last = held.enter_context(socket.create_connection(("127.0.0.1", squid.port)))
        changes(lambda: told.status(origin.url()), 403)
        last.close()
        changes(lambda: told.status(origin.url()), 200)


def test_a_running_squid_is_held_against_the_settings(told: Told, origin: Origin) -> None:
    assert told.write() == f"Wrote {told.file}; 'squid -k reconfigure' puts it in force.\n"
    assert told.write() == f"{told.file} is what the settings ask for.\n"
    with told.squid as squid:
        assert told.check() == (0, [])
        change(told.instance, enable_rate_limiting="true")
        code, (sentence,) = told.check()
        assert code == 1
        assert sentence.startswith(f"WRONG {told.file} isn't what the settings ask for in: Rate limiting")
        time.sleep(1.1)  # cache.log tells whole seconds
        told.write()
        code, (sentence,) = told.check()
        assert code == 1
        assert sentence.startswith("WRONG The running Squid hasn't read what changed at ")
        squid.reconfigure()
        assert told.check() == (0, [])
        time.sleep(1.1)
        change(told.instance, rate_limit_connections="9")
        told.write()
        squid.reconfigure()
        squid.rotate()  # and what cache.log said is in cache.log.0
        assert told.check() == (0, [])
        squid.stop()
        code, (sentence,) = told.check()
        assert (code, sentence) == (1, f"WRONG Squid isn't running: {squid.folder}/squid.pid names no process.")
