"""`proxyweb demo`: everything, with made-up traffic, in a folder that is gone afterwards."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from proxyweb.config import Config, load
from proxyweb.demo.instance import furnish
from proxyweb.demo.office import DAYS
from proxyweb.errors import ConfigError
from proxyweb.listener import listen, url
from proxyweb.program_log import configure_log
from proxyweb.request_counts import shared_memory
from proxyweb.supervisor import Program, supervise
from proxyweb.web_server import follower, web

HOST = "127.0.0.1"
PORTS_TRIED = 50  # from 5001 on: browsers refuse to open 5060
ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
"""Ctrl-C, being told to, and a terminal that is closed."""


@click.command()
@click.option(
    "--requests",
    type=click.IntRange(1, 10_000_000),
    default=300_000,
    show_default=True,
    help="How many requests the month holds.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    default=5001,
    show_default=True,
    help="Where to serve; the next free one if it is taken.",
)
@click.option("--quiet", is_flag=True, help="Only the month: no new requests.")
def demo(requests: int, port: int, quiet: bool) -> None:  # fmt: skip
    """Show everything with made-up traffic, until Ctrl-C.

    A month of an office's requests is made up and read into a database in a temporary folder, and goes on growing. The
    folder is removed at the end. Nothing of an instance of one's own is touched.
    """
    begun = time.monotonic()
    os.umask(0o077)
    with _until_told(), _folder() as folder, _listening(port) as (bind, listener), shared_memory() as counts:
        config = _config(folder, bind)
        configure_log(config.log_level)
        click.echo("Making up a month of traffic …")
        sys.stdout.flush()
        now = int(time.time())
        password = furnish(config, requests, DAYS, now)
        programs = [web(config, listener, counts), follower(config)]
        if not quiet:
            programs.append(_office(config, now))
        click.echo(f"Ready after {time.monotonic() - begun:.0f} s: {url(bind)}")
        click.echo(f"Sign in as {config.admin_username} with the password {password}")
        click.echo("Ctrl-C ends it and removes all of it.")
        sys.stdout.flush()
        code = supervise(programs, stopping=ENDING)
    sys.exit(code)


def _config(folder: Path, bind: str) -> Config:
    """The demo's own configuration, also for the programs that it starts; one's own variables don't reach it."""
    for name in [name for name in os.environ if name.startswith("PROXYWEB_")]:
        del os.environ[name]
    log = folder / "access.log"
    log.touch()
    os.environ |= {
        "PROXYWEB_INSTANCE": str(folder / "instance"),
        "PROXYWEB_ACCESS_LOG": str(log),
        "PROXYWEB_BIND": bind,
        "PROXYWEB_LOG_LEVEL": "warning",
    }
    return load()


def _office(config: Config, now: int) -> Program:
    (log,) = config.access_logs
    return Program(
        name="office",
        command=(sys.executable, "-m", "proxyweb.demo.live", str(log), str(now)),
        environment=dict(os.environ),
        folder=config.instance,
    )


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder of its own, removed at the end, whatever is pressed meanwhile."""
    with tempfile.TemporaryDirectory(prefix="proxyweb-demo-") as folder:
        try:
            yield Path(folder)
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)


@contextmanager
def _until_told() -> Iterator[None]:
    """What ends the demo ends the block at once, by an exception, so that it can tidy up."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    for number in ENDING:
        signal.signal(number, end)
    yield


@contextmanager
def _listening(port: int) -> Iterator[tuple[str, socket.socket | None]]:
    """The first port from `port` on that is free, and its socket."""
    last = min(port + PORTS_TRIED, 65_536) - 1
    for candidate in range(port, last + 1):
        try:
            place = listen(f"{HOST}:{candidate}")
            listener = place.__enter__()
        except ConfigError:
            if candidate == last:
                raise
            continue
        try:
            yield f"{HOST}:{candidate}", listener
        finally:
            if listener:
                listener.close()
        return
