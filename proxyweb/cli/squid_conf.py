"""`proxyweb squid-conf`: the file that Squid is to include, and whether it goes by it."""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NoReturn

import click

from proxyweb import settings
from proxyweb.config import SQUID_ACCESS_LOG, Config, load
from proxyweb.db.connection import connect, translated
from proxyweb.db.migrate import is_current
from proxyweb.errors import ConfigError, DatabaseError
from proxyweb.escaping import printable
from proxyweb.settings import Value
from proxyweb.squid_conf import helper_trial
from proxyweb.squid_conf.build import UNKNOWN, ask
from proxyweb.squid_conf.comparison import Finding, compare, user_of
from proxyweb.squid_conf.include_file import Places, include_file, text, warnings

MAIN = ""
STATES = {True: "ok   ", False: "WRONG", None: "?    "}


@click.command("squid-conf")
@click.option(
    "--output",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Write FILE, if it isn't so already.",
)
@click.option(
    "--check",
    "checked",
    is_flag=False,
    flag_value=MAIN,
    metavar="[CONF]",
    help="Compare with the running Squid, whose configuration begins in CONF; by default where its program says.",
)
@click.option(
    "--access-log",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where Squid is to log; by default what proxyweb follows.",
)
@click.option("--squid", "program", default="squid", show_default=True, metavar="PROGRAM", help="Squid's own program.")
def squid_conf(output: Path | None, checked: str | None, access_log: Path | None, program: str) -> None:
    """Print the file that Squid is to include, as the settings ask for it; see docs/squid.md.

    With --check, nothing is written; the exit code is 0 when Squid is known to go by the settings.
    """
    if output and checked is not None:
        raise click.UsageError("--check writes nothing; leave --output out.")
    config = load()
    values = _settings(config)
    build = ask(program, os.environ.get("PATH", ""))
    places = Places(_access_log(config, access_log), config.instance, _program())
    blocks = include_file(values, places, build or UNKNOWN)
    if checked is not None:
        if build is None:
            raise ConfigError(f"There is no {program} here; name Squid's program with --squid.")
        main = Path(checked).absolute() if checked else build.main_configuration
        _say([*compare(main, blocks, values, build), _helper(places, user_of(main, build))])
    for sentence in warnings(values, build):
        click.echo(f"proxyweb: {sentence}", err=True)
    if output is None:
        click.echo(text(blocks), nl=False)
    elif _write(output, text(blocks)):
        click.echo(f"Wrote {output}; 'squid -k reconfigure' puts it in force.")
        helper = _helper(places, (build or UNKNOWN).user)
        if helper.fine is False:
            click.echo(f"proxyweb: {printable(helper.sentence)}", err=True)
    else:
        click.echo(f"{output} is what the settings ask for.")


def _say(findings: Sequence[Finding]) -> NoReturn:
    for finding in findings:
        click.echo(f"{STATES[finding.fine]} {printable(finding.sentence)}")
    sys.exit(0 if all(finding.fine for finding in findings) else 1)


def _settings(config: Config) -> dict[str, Value]:
    try:
        with closing(connect(config.database, readonly=True)) as conn:
            if not is_current(conn):
                raise DatabaseError(
                    f"The database {config.database} is of an older version; 'proxyweb serve' updates it."
                )
            return settings.read(conn)
    except sqlite3.Error as error:
        raise translated(error, config.database) from error


def _helper(places: Places, user: str) -> Finding:
    try:
        complaint = helper_trial.complaint(places, user)
    except helper_trial.Untried as reason:
        return Finding(None, f"Whether Squid's user can start the helper can't be found out: {reason}.")
    if complaint:
        return Finding(False, f"Squid would deny every request, or judge none: {complaint}.")
    return Finding(True, f"Squid's user {user} can start the helper.")


def _access_log(config: Config, given: Path | None) -> Path:
    if given:
        return given.absolute()
    if len(config.access_logs) > 1:
        raise ConfigError("Several logs are followed; say with --access-log which of them this Squid writes.")
    return config.access_logs[0] if config.access_logs else SQUID_ACCESS_LOG


def _program() -> tuple[str, ...]:
    """What starts this program again: the command beside our Python, or else Python itself."""
    command = Path(sys.executable).with_name("proxyweb")
    return (
        (str(command),) if command.exists() else (sys.executable, "-P", "-m", "proxyweb")
    )  # -P: nothing from its folder


def _write(path: Path, content: str) -> bool:
    """Make `content` the file's, all at once; False when it is so already. Squid's user has to be able to read it."""
    try:
        with suppress(FileNotFoundError):
            if path.read_bytes() == content.encode("utf-8", "surrogateescape"):
                return False
        with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=".squid-conf-", delete=False) as file:
            try:
                file.write(content.encode("utf-8", "surrogateescape"))
                file.flush()
                os.fchmod(file.fileno(), 0o644)
                os.fsync(file.fileno())
                Path(file.name).replace(path.resolve())
            except BaseException:
                Path(file.name).unlink()
                raise
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}.") from error
    return True
