"""What asking the WAF's helper costs Squid: `python -m tests.bench.squid`.

wrk asks a Squid, all on this machine: without a helper, with one that says no to each line and does nothing else, which
is the limit for any helper, and with ours. They take turns, and the best run of each counts.

Different URLs come from an nginx, which needs next to nothing; one URL again and again comes from Squid's memory, which
does least for it. In both, the processors are the limit. An origin beyond a network takes its time, and then the
connections are: that is the third traffic.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from proxyweb.config import load as load_config
from proxyweb.ingest.logformat import LOGFORMAT
from proxyweb.instance import prepare_database
from proxyweb.squid_conf.include_file import LIMITS
from proxyweb.waf.helper import FORMAT
from proxyweb.waf.policy import load_engine
from tests.bench.readers import instance_environment
from tests.bench.table import table
from tests.bench.wrk import Load, parse
from tests.e2e.asking import change
from tests.e2e.origin import free_port
from tests.e2e.squid import Squid

CONNECTIONS = 100
RULES = ("acl waf_deny external waf", "http_access deny waf_deny")
TRIVIAL = """\
import os
while chunk := os.read(0, 1 << 16):
    os.write(1, b"".join(line.partition(b" ")[0] + b" ERR\\n" for line in chunk.split(b"\\n") if line))
"""
NGINX = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{ add_header Cache-Control "max-age=3600"; return 200 "{body}"; }}
    }}
}}
"""
BODY = "x" * 2000
AWAY_SECONDS = 0.04
ASK = """\
local asked = 0
request = function()
    asked = asked + 1
    return wrk.format("GET", "{url}" .. {number}, {{["Host"] = "origin.test", ["User-Agent"] = "{agent}"}})
end
"""
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
DIFFERENT = "/shop/items/view.html?page=2&sort=price&order=asc&id="


@dataclass(frozen=True, slots=True)
class Traffic:
    """What wrk asks for, from which origin, and whether Squid may keep it."""

    name: str
    origin: str
    is_one_url: bool = False

    def script(self, port: int) -> str:
        """wrk's, for an origin at that port."""
        number = '"7"' if self.is_one_url else "asked"
        return ASK.format(url=f"http://origin.test:{port}{DIFFERENT}", number=number, agent=AGENT)


TRAFFICS = (
    Traffic("different URLs, from an origin", "near"),
    Traffic("one URL, from Squid's memory", "near", is_one_url=True),
    Traffic(f"different URLs, from an origin {AWAY_SECONDS * 1000:.0f} ms away", "away"),
)


class _Away(asyncio.Protocol):
    """Answers each request after a while; one at a time on a connection, as Squid asks."""

    ANSWER = f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\nCache-Control: no-store\r\n\r\n{BODY}".encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            asyncio.get_running_loop().call_later(AWAY_SECONDS, self._transport.write, self.ANSWER)


async def _serve_from_away(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Away, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """A program that listens on a port, for the length of the block."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        for _ in range(100):
            if f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text():
                break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def asked(squid: Squid, traffic: Traffic, port: int, seconds: int) -> Load:
    """What wrk gets through a Squid. Raises SystemExit where anything was refused."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(traffic.script(port))
        script.flush()
        command = ["wrk", "--latency", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script.name]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{squid.port}"],
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + 30,
        )
    load = parse(done.stdout)
    if load.refused or load.socket_errors:
        raise SystemExit(f"not all was answered:\n{done.stdout}")
    return load


def settings(helper: str) -> list[str]:
    """Squid's, with what it is to ask; nothing where `helper` is empty."""
    return [LOGFORMAT, *([f"external_acl_type waf {LIMITS} {FORMAT} {helper}"] if helper else [])]


def row(traffic: Traffic, port: int, helpers: dict[str, str], repeat: int, seconds: int) -> list[str]:
    """A line of the table: the rates, and what part of the first they are."""
    best = dict.fromkeys(helpers, 0.0)
    for _ in range(repeat):
        for name, helper in helpers.items():
            with Squid(
                settings=settings(helper),
                rules=RULES if helper else (),
                log_format="proxyweb",
                caching=traffic.is_one_url,
            ) as squid:
                asked(squid, traffic, port, 1)
                best[name] = max(best[name], asked(squid, traffic, port, seconds).rate)
    unasked, *_ = best.values()
    return [traffic.name, *(f"{rate:,.0f} ({rate / unasked:.2f})" for rate in best.values())]


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.squid", description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, of which the best counts")
    parser.add_argument("--seconds", type=int, default=5)
    given = parser.parse_args()
    for program in ("wrk", "nginx"):
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None:
            raise SystemExit(f"{program} is not installed")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o777)
        config = load_config(instance_environment(folder))
        prepare_database(config)
        change(folder, enable_waf="true")
        load_engine(folder)  # compiles the patterns
        trivial = folder / "trivial.py"
        trivial.write_text(TRIVIAL)
        near, away = free_port(), free_port()
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=near, body=BODY))
        stack.enter_context(running(["nginx", "-c", str(folder / "nginx.conf")], near))
        stack.enter_context(running([sys.executable, "-m", "tests.bench.squid", "--serve-from-away", str(away)], away))
        helpers = {
            "no helper": "",
            "one that does nothing": f"{sys.executable} {trivial}",
            "proxyweb waf-helper": f"/usr/bin/env PROXYWEB_INSTANCE={folder} {sys.executable} -m proxyweb waf-helper",
        }
        ports = {"near": near, "away": away}
        rows = [row(traffic, ports[traffic.origin], helpers, given.repeat, given.seconds) for traffic in TRAFFICS]
    print(f"Requests a second at {CONNECTIONS} connections (and what part of those without a helper)")
    print(table(["", *helpers], rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve-from-away"]:
        asyncio.run(_serve_from_away(int(sys.argv[2])))
    else:
        main()
