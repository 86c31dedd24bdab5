"""Debian's nginx with the configuration that comes with proxyweb, and a certificate made here."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.server import free_port
from tests.test_supervisor import wait_for

SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx" / "proxyweb.conf"
MAIN = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
{user}
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/proxyweb.conf;
}}
"""


class Nginx:
    """TLS on `https://localhost:PORT` before the server at `upstream`; `certificate` is whom to trust."""

    def __init__(self, folder: Path, upstream: str) -> None:
        folder.mkdir()
        self.folder = folder
        self.port, self.plain_port = free_port(), free_port()
        self.url = f"https://localhost:{self.port}"
        self.certificate = folder / "certificate.pem"
        key = folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", str(key), "-out", str(self.certificate)],
            check=True, capture_output=True, timeout=30,
        )  # fmt: skip
        (folder / "proxyweb.conf").write_text(
            _changed(
                SHIPPED.read_text(),
                {
                    r"\[::\]:(80|443)": r"[::1]:\1",
                    r"listen 80;": f"listen 127.0.0.1:{self.plain_port};",
                    r"listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
                    r"    listen \[::1\]:\d+( ssl)?;\n": "",
                    r"proxyweb\.example\.com": "localhost",
                    r"/etc/ssl/proxyweb/fullchain\.pem": str(self.certificate),
                    r"/etc/ssl/proxyweb/privkey\.pem": str(key),
                    r"http://127\.0\.0\.1:5001": upstream,
                },
            )
        )
        main = folder / "nginx.conf"
        main.write_text(MAIN.format(folder=folder, user="user root;" if os.geteuid() == 0 else ""))
        self._command = ["nginx", "-p", str(folder), "-c", str(main), "-e", str(folder / "error.log")]

    def __enter__(self) -> Self:
        environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
        tried = subprocess.run([*self._command, "-t"], env=environment, capture_output=True, text=True, check=False)
        assert tried.returncode == 0, tried.stderr
        assert "[warn]" not in tried.stderr, tried.stderr
        self._process = subprocess.Popen(self._command, env=environment)
        wait_for(self._listens)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _listens(self) -> bool:
        assert self._process.poll() is None, (self.folder / "error.log").read_text()
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0


def _changed(text: str, places: dict[str, str]) -> str:
    for pattern, put in places.items():
        text, times = re.subn(pattern, put, text)
        assert times, f"{pattern} is not in the configuration any more"
    return text
