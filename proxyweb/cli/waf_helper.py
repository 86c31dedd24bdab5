"""`proxyweb waf-helper`: what Squid runs, and asks about every request."""

from __future__ import annotations

import os
import signal
from functools import partial
from types import FrameType

import click

from proxyweb.config import load
from proxyweb.program_log import configure_log
from proxyweb.waf.helper import Helper
from proxyweb.waf.policy import PolicyWatcher, load_engine

QUESTIONS, ANSWERS = 0, 1
START_SECONDS = 2.0


@click.command("waf-helper")
def waf_helper() -> None:
    """Judge requests for Squid, as its external ACL helper; see docs/squid.md.

    It reads a line a request from standard input and writes a line an answer to standard output, until its input ends.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    config = load()
    configure_log(config.log_level)
    watcher = PolicyWatcher(config.database, partial(load_engine, config.instance)).start()
    # Before its first policy it would let attacks pass, and a start takes 0.1 s. Where patterns are being compiled,
    # which takes seconds and is done once, it begins without them.
    watcher.settled.wait(START_SECONDS)
    Helper(lambda: watcher.policy).run(QUESTIONS, ANSWERS)
    _end()  # without waiting for patterns that are being compiled


def _end(number: int = 0, frame: FrameType | None = None) -> None:
    os._exit(0)
