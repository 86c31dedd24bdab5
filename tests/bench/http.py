"""How fast the API answers, by wrk: `python -m tests.bench.http --instance DIR`.

A server that runs already: `--url http://127.0.0.1:8000 --credentials NAME:PASSWORD`.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.feed import feeding
from tests.bench.server import Server, serving
from tests.bench.table import table
from tests.bench.wrk import Load, load

HEAD = ("path", "connections", "req/s", "p50 ms", "p99 ms", "vs trivial", "remarks")
TRIVIAL = "/api/health"
PATHS = (
    TRIVIAL,
    "/api/logs?limit=100",
    "/api/logs/stats",
    "/api/logs/timeline?hours=24",
    "/api/logs/timeline?hours=720",
)
CONNECTIONS = (4, 16)
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def compare(server: Server, paths: Sequence[str], connections: Sequence[int], seconds: int) -> str:
    """Load the trivial route without credentials, then every path with them, and lay out the table."""
    return table(HEAD, list(rows(server, paths, connections, seconds)))


def rows(server: Server, paths: Sequence[str], connections: Sequence[int], seconds: int) -> Iterator[tuple[str, ...]]:
    """The table's rows, each announced on stderr before it is measured."""
    refused = [f"{path} ({status})" for path in paths if (status := server.status(path)) != 200]
    if refused:
        raise SystemExit(f"not measured, as these don't answer 200 with the credentials given: {', '.join(refused)}")
    for count in connections:
        print(f"{TRIVIAL}, {count} connections", file=sys.stderr)
        trivial = load(server.url + TRIVIAL, connections=count, seconds=seconds)
        yield _row(f"{TRIVIAL} (no credentials)", count, trivial, trivial)
        for path in paths:
            print(f"{path}, {count} connections", file=sys.stderr)
            found = load(server.url + path, connections=count, seconds=seconds, headers=[server.authorization])
            yield _row(path, count, found, trivial)


def _row(path: str, connections: int, found: Load, trivial: Load) -> tuple[str, ...]:
    remarks = [f"{found.refused:,} responses were errors"] if found.refused else []
    remarks += [f"{found.socket_errors:,} socket errors"] if found.socket_errors else []
    return (
        path,
        str(connections),
        f"{found.rate:,.0f}",
        f"{found.p50:.2f}",
        f"{found.p99:.2f}",
        f"{found.rate / trivial.rate:.2f}" if trivial.rate else "-",
        ", ".join(remarks),
    )


def loopback_url(value: str) -> str:
    """Accept a base URL on this machine only: wrk is not to be turned on somebody else's."""
    if urlsplit(value).hostname not in LOOPBACK:
        raise argparse.ArgumentTypeError(f"{value} is not on the loopback interface")
    return value.rstrip("/")


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.http", description=__doc__.splitlines()[0])
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", type=loopback_url, help="base URL of a running server")
    where.add_argument("--instance", type=Path, help="instance folder to serve for the measurement")
    parser.add_argument("--credentials", help="NAME:PASSWORD; left out, the instance must have no user yet")
    parser.add_argument("--path", nargs="+", default=PATHS, help="what to ask for")
    parser.add_argument("--connections", type=int, nargs="+", default=CONNECTIONS)
    parser.add_argument("--seconds", type=int, default=5, help="length of each run")
    parser.add_argument("--append-to", type=Path, help="followed log to which lines are appended meanwhile")
    parser.add_argument("--rate", type=int, default=2000, help="lines a second for --append-to")
    given = parser.parse_args()
    if given.url and not given.credentials:
        parser.error("--url needs --credentials")
    if shutil.which("wrk") is None:
        parser.error("wrk is not installed (Debian's package wrk)")
    with ExitStack() as stack:
        if given.append_to:
            given.append_to.touch()
        server = (
            Server(given.url, given.credentials)
            if given.url
            else stack.enter_context(serving(given.instance, log=given.append_to, credentials=given.credentials))
        )
        feed = stack.enter_context(feeding(given.append_to, given.rate)) if given.append_to else None
        print(compare(server, given.path, given.connections, given.seconds))
        if feed:
            print(f"{feed.lines:,} lines were appended to {given.append_to} meanwhile")


if __name__ == "__main__":
    main()
