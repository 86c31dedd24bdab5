"""`proxyweb follow`: the logs as they grow."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from types import FrameType

import click

from proxyweb.cli.database import ready
from proxyweb.config import load
from proxyweb.errors import ConfigError
from proxyweb.ingest.follower import Follower
from proxyweb.ingest.page_check import PageCheck
from proxyweb.ingest.status import StatusFile
from proxyweb.locks import held
from proxyweb.program_log import configure_log
from proxyweb.size_cap import SizeKeeper


@click.command()
def follow() -> None:
    """Read the access logs as they grow, until SIGTERM.

    'proxyweb serve' runs this beside the web server. The files are those of PROXYWEB_ACCESS_LOG.
    """
    config = load()
    configure_log(config.log_level, config.log_format)
    if not config.access_logs:
        raise ConfigError("There is no log to follow; name one in PROXYWEB_ACCESS_LOG.")
    os.umask(0o077)
    ready(config)
    ended = []

    def end(number: int, frame: FrameType | None) -> None:
        ended.append(number)

    refusal = f"Another follower is running: it holds {config.follower_lock}."
    with (
        held(config.follower_lock, refusal),
        PageCheck(config.database),
        closing(StatusFile(config.follower_status)) as status_file,
        closing(SizeKeeper(config.database)) as size_keeper,
    ):
        size_keeper.start()
        before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            Follower(
                config.database, config.access_logs, status_file, stop=lambda: bool(ended),
                shadow_it_file=config.shadow_it_file, instance=config.instance,
            ).run()  # fmt: skip
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
