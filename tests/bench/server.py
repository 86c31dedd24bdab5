"""`proxyweb serve` on a free port of the loopback interface, for the length of a measurement."""

import os
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.readers import PROXYWEB, instance_environment

START_SECONDS = 30
STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Server:
    """Where the API answers and who may ask; `credentials` are `name:password`."""

    url: str
    credentials: str

    @property
    def authorization(self) -> str:
        """The header line of HTTP Basic authentication."""
        return f"Authorization: Basic {b64encode(self.credentials.encode()).decode('ascii')}"

    def status(self, path: str, *, authenticated: bool = True) -> int:
        """The HTTP status of one GET; 0 while nothing listens."""
        name, value = self.authorization.split(": ", 1)
        request = urllib.request.Request(self.url + path, headers={name: value} if authenticated else {})
        try:
            with urllib.request.urlopen(request, timeout=STOP_SECONDS) as response:
                return int(response.status)
        except urllib.error.HTTPError as answer:
            return answer.code
        except OSError:
            return 0


@contextmanager
def serving(instance: Path, *, log: Path | None = None, credentials: str | None = None) -> Iterator[Server]:
    """Serve `instance`, following `log` if given; ends the server with the block.

    Without `credentials` the instance must have no user yet: `serve` makes the first admin with a password of this run.
    What the server says goes to `serve.log` in the instance.
    """
    server = Server(f"http://{_free_address()}", credentials or f"admin:{secrets.token_urlsafe(16)}")
    name, _, password = server.credentials.partition(":")
    environment = {
        **os.environ,
        **instance_environment(instance),
        "PROXYWEB_BIND": server.url.removeprefix("http://"),
        "PROXYWEB_ACCESS_LOG": str(log or ""),
        "PROXYWEB_ADMIN_USERNAME": name,
        "PROXYWEB_ADMIN_PASSWORD": password,
    }
    said = instance / "serve.log"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [str(PROXYWEB), "serve"], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _await_health(server, process, said)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host, port = probe.getsockname()
    return f"{host}:{port}"


def _await_health(server: Server, process: subprocess.Popen[bytes], said: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.status("/api/health", authenticated=False) != 200:
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"proxyweb serve did not become healthy; see {said}")
        time.sleep(0.1)
