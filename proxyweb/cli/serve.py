"""`proxyweb serve`: everything that has to run, from one command."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

import click

from proxyweb import __version__
from proxyweb.config import load
from proxyweb.instance import prepare_instance
from proxyweb.listener import listen, url
from proxyweb.locks import held
from proxyweb.program_log import announce, configure_log
from proxyweb.request_counts import shared_memory
from proxyweb.start import prepare
from proxyweb.supervisor import Program, supervise
from proxyweb.web_server import follower, web


@click.command()
def serve() -> None:
    """Run the web server and, when there is an access log, its follower, until SIGTERM."""
    config = load()
    os.umask(0o077)
    configure_log(config.log_level, config.log_format)
    with listen(config.bind) as listener, ExitStack() as stack:
        metrics_listener = None
        if config.metrics_bind and listener is not None:
            metrics_listener = stack.enter_context(listen(config.metrics_bind, "PROXYWEB_METRICS_BIND"))
        counts = stack.enter_context(shared_memory())
        prepare_instance(config)
        stack.enter_context(held(config.server_lock, "A backup is being restored; try again in a moment.", shared=True))
        password = prepare(config)
        announce(f"proxyweb {__version__} on {url(config.bind)}", config.log_format)
        if password is not None:
            announce(f"The first admin is {config.admin_username} with the password {password}", config.log_format)
            announce("It is shown this once; 'proxyweb user password' sets another one.", config.log_format)
        programs: list[Program] = [web(config, listener, counts, metrics_listener)]
        if config.access_logs:
            programs.append(follower(config))
        sys.exit(supervise(programs))
