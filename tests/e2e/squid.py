"""A real Squid on loopback for tests: its own folder, its own ports, gone afterwards."""

from __future__ import annotations

import http.client
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from .origin import free_port, has_ipv6

HOSTS = {
    "origin.test": "127.0.0.1",
    "www.origin.test": "127.0.0.1",
    "other.test": "127.0.0.1",
    "banned.test": "127.0.0.1",
    "www.banned.test": "127.0.0.1",
    "origin6.test": "::1",
}
"""What Squid resolves by default. Every other name fails after 0.1 s."""

BANNED_IP = "127.0.0.9"
"""The literal address that the default rules deny."""

_CONFIG = """\
{listen}
pid_filename {folder}/squid.pid
cache_log {folder}/cache.log
coredump_dir {folder}
hosts_file {folder}/hosts
visible_hostname squid.test
dns_nameservers 127.0.0.1
dns_timeout 100 milliseconds
dns_retransmit_interval 100 milliseconds
netdb_filename none
pinger_enable off
max_filedescriptors 1024
cache_mem 8 MB
shutdown_lifetime 0 seconds
logfile_rotate 3
buffered_logs off
{settings}
{logs}
{caching}
acl banned dstdomain -n .banned.test
acl banned_ip dstdom_regex -n ^{banned_ip}$
{rules}
http_access deny banned
http_access deny banned_ip
http_access allow all
"""


class SquidFailedError(RuntimeError):
    """Squid did not start, or did not do what it was told; carries what its log says."""


@dataclass(frozen=True)
class Reply:
    """What came back through the proxy."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def squid_binary() -> str:
    """The path of ``squid``; skips the test when it is not installed."""
    found = shutil.which("squid", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/usr/local/squid/sbin")
    if found is None:
        pytest.skip("squid is not installed (Debian: apt-get install squid)")
    return found


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom Squid runs as when we are root, which it refuses to be; otherwise nobody else."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(known[name] for name in ("proxy", "squid", "nobody") if name in known)


def _becoming(user: pwd.struct_passwd | None) -> list[str]:
    """The command prefix that changes to that user, who keeps root's right to pass closed folders.

    A helper's Python often lives in one (``/root`` is 0700).
    """
    if user is None:
        return []
    identity = ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
    return ["setpriv", *identity, "--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]


class Squid:
    """One Squid in the foreground, from ``with`` to the end of the block.

    By default it denies ``*.banned.test`` and the literal address 127.0.0.9, allows the
    rest, keeps nothing in its cache, and writes ``access_log`` in the built-in format.

    - ``rules``: lines before the default access rules (``acl``, ``http_access``, ``deny_info``…)
    - ``settings``: other lines, before the logs (``auth_param``, ``strip_query_terms off``,
      a ``logformat`` definition…)
    - ``log_format``: the format's name for ``access.log``, built in or defined in ``settings``; empty where a file
      that ``rules`` include says how to log
    - ``more_logs``: file name → format name, the same traffic written again
    - ``hosts``: name → address, instead of :data:`HOSTS`
    - ``caching``: True to let it keep objects in memory
    """

    def __init__(
        self,
        *,
        rules: Iterable[str] = (),
        settings: Iterable[str] = (),
        log_format: str = "squid",
        more_logs: Mapping[str, str] | None = None,
        hosts: Mapping[str, str] | None = None,
        port: int | None = None,
        caching: bool = False,
    ) -> None:
        self.port = port or free_port()
        self._user = _unprivileged()
        self.by = _becoming(self._user)
        """The command that runs another one as it runs itself."""
        self._squid = [*self.by, squid_binary()]
        self._rules = list(rules)
        self._settings = list(settings)
        self._logs = {**({"access.log": log_format} if log_format else {}), **(more_logs or {})}
        self._hosts = HOSTS if hosts is None else hosts
        self._caching = caching
        self._addresses = ["127.0.0.1", "[::1]"] if has_ipv6() else ["127.0.0.1"]
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="squid-"))
        """Its configuration and logs; removed at the end."""
        self._service = "".join(filter(str.isalnum, self.folder.name))
        self.access_log = self.folder / "access.log"

    # --- life ---

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error:
            error.add_note(f"What squid said last:\n{self._cache_log()[-3000:]}")
        self.close()

    def start(self) -> None:
        """Write the configuration, start, return once every port is listened on (0.05 s measured)."""
        wanted = self._times_listening() + len(self._addresses)
        self.folder.chmod(0o755)
        self.config.write_text(self._config_text())
        (self.folder / "hosts").write_text("".join(f"{ip} {name}\n" for name, ip in self._hosts.items()))
        if self._user:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        self._process = subprocess.Popen(
            [*self._squid, "-N", "-n", self._service, "-f", str(self.config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._wait(lambda: self._times_listening() >= wanted, "listen")

    def stop(self) -> None:
        """End it as an administrator would, by its process id if that does not help.

        Open tunnels get their record. Takes 2 s: Squid's own timer counts whole seconds.
        """
        if self._process is not None and self._process.poll() is None:
            self.command("shutdown")
        self._reap(timeout=10)

    def close(self) -> None:
        """End it at once and remove the folder; what was served is already in the log."""
        self._reap(timeout=0)
        shutil.rmtree(self.folder, ignore_errors=True)
        for segment in Path("/dev/shm").glob(f"{self._service}-*.shm"):
            segment.unlink(missing_ok=True)  # Squid names shared memory by service, and removes it only on a clean exit

    def start_again(self, after: str) -> None:
        """Start once more, as a Squid's master process would (here it runs without one), after it failed an assertion.

        Raises SquidFailedError where it runs, or ended for another reason than ``after``.
        """
        self._reap(timeout=5)
        _, _, said = self._cache_log().rpartition("Accepting HTTP Socket connections")
        if f"assertion failed: {after}" not in said:
            raise SquidFailedError(f"squid did not fail the assertion at {after}\n{said}")
        self.start()

    def rotate(self) -> None:
        """``squid -k rotate``; returns when a new, empty ``access.log`` is there."""
        before = self.access_log.stat().st_ino
        self.command("rotate")
        self._wait(lambda: self.access_log.exists() and self.access_log.stat().st_ino != before, "rotate its logs")

    def reconfigure(self) -> None:
        """``squid -k reconfigure``; returns when the new configuration is in force."""
        wanted = self._times_listening() + len(self._addresses)
        self.command("reconfigure")
        self._wait(lambda: self._times_listening() >= wanted, "reconfigure")

    def command(self, name: str) -> None:
        """``squid -k NAME``: rotate, reconfigure, shutdown, check, parse."""
        done = subprocess.run(
            [*self._squid, "-k", name, "-n", self._service, "-f", str(self.config)],
            capture_output=True,
            check=False,
            timeout=30,
        )
        if done.returncode != 0:
            raise SquidFailedError(f"squid -k {name}: {done.stderr.decode(errors='replace')}")

    # --- traffic ---

    def get(
        self, url: str, headers: Mapping[str, str] | None = None, *, method: str = "GET", body: bytes | None = None
    ) -> Reply:
        """One request through the proxy, on a connection of its own."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            client.request(method, url, body=body, headers={"Connection": "close", **(headers or {})})
            answer = client.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            client.close()

    def connect(self, hostport: str, payload: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        """``CONNECT``; through an open tunnel sends ``payload`` and reads as many bytes back."""
        lines = [
            f"CONNECT {hostport} HTTP/1.1",
            f"Host: {hostport}",
            *(f"{k}: {v}" for k, v in (headers or {}).items()),
        ]
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as client:
            client.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
            answer = http.client.HTTPResponse(client, method="CONNECT")
            answer.begin()
            if answer.status != 200:
                return Reply(answer.status, dict(answer.getheaders()), answer.read())
            client.sendall(payload)
            return Reply(200, dict(answer.getheaders()), answer.fp.read(len(payload)) if payload else b"")

    def raw(self, data: bytes, *, ipv6: bool = False, wait: float = 2.0) -> bytes:
        """Send bytes as they are and read until Squid closes, or is silent for ``wait`` seconds.

        Say ``Connection: close`` in a well-formed request, else every call waits.
        """
        received = b""
        with socket.create_connection(("::1" if ipv6 else "127.0.0.1", self.port), timeout=wait) as client:
            try:
                client.sendall(data)
                while block := client.recv(65536):
                    received += block
            except (TimeoutError, ConnectionError):
                pass  # silent or reset: what has come is the answer
        return received

    def log_lines(self, at_least: int = 0, timeout: float = 5.0) -> list[bytes]:
        """The lines of ``access.log``, once there are ``at_least`` so many.

        Squid writes a record after the client has its answer, hence the waiting.
        """

        def lines() -> list[bytes]:
            return self.access_log.read_bytes().splitlines() if self.access_log.exists() else []

        self._wait(lambda: len(lines()) >= at_least, f"log {at_least} lines", timeout)
        return lines()

    # --- inside ---

    def _reap(self, timeout: float) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()
        self._process = None

    @property
    def config(self) -> Path:
        """Its ``squid.conf``."""
        return self.folder / "squid.conf"

    def _config_text(self) -> str:
        return _CONFIG.format(
            folder=self.folder,
            banned_ip=BANNED_IP.replace(".", "\\."),
            listen="\n".join(f"http_port {address}:{self.port}" for address in self._addresses),
            settings="\n".join(self._settings),
            rules="\n".join(self._rules),
            logs="\n".join(f"access_log stdio:{self.folder / name} {form}" for name, form in self._logs.items()),
            caching="" if self._caching else "cache deny all",
        )

    def _cache_log(self) -> str:
        path = self.folder / "cache.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _times_listening(self) -> int:
        """By what ``cache.log`` says: a trial connection would leave a line in ``access.log``."""
        return self._cache_log().count("Accepting HTTP Socket connections")

    def _wait(self, happened: Callable[[], bool], what: str, timeout: float = 15.0) -> None:
        deadline = time.monotonic() + timeout
        while not happened():
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                says = (
                    self._process.stderr.read().decode(errors="replace")
                    if ended and self._process and self._process.stderr
                    else ""
                )
                raise SquidFailedError(f"squid did not {what}\n{says}\n{self._cache_log()[-3000:]}")
            time.sleep(0.01)
