"""The `proxyweb` command. Each sub-command is imported when it is called, so that `--help` answers at once."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

from proxyweb import __version__
from proxyweb.errors import Invalid, ProxywebError
from proxyweb.program_log import complain, form_in_use

COMMANDS = {
    "serve": ("proxyweb.cli.serve", "serve", "Run the web server and the log's follower."),
    "follow": ("proxyweb.cli.follow", "follow", "Read the access logs as they grow; serve runs this."),
    "import": ("proxyweb.cli.import_files", "import_files", "Read whole access logs, plain or compressed."),
    "clear-old": ("proxyweb.cli.clear_old", "clear_old_logs", "Delete entries older than log_retention_days."),
    "backup": ("proxyweb.cli.maintenance", "backup", "Copy the database while everything runs."),
    "restore": ("proxyweb.cli.maintenance", "restore", "Put a backup in the place of the database."),
    "check": ("proxyweb.cli.check", "check", "Say what is sound and what is not."),
    "rebuild": ("proxyweb.cli.rebuild", "rebuild", "Make what is derived from the log anew."),
    "audit": ("proxyweb.cli.audit", "audit", "Tell whether the audit log is whole."),
    "squid-conf": (
        "proxyweb.cli.squid_conf",
        "squid_conf",
        "Print what Squid is to include; compare with what it runs.",
    ),
    "waf": ("proxyweb.cli.waf", "waf", "Try the web application firewall out."),
    "waf-helper": ("proxyweb.cli.waf_helper", "waf_helper", "Judge requests for Squid, which runs this."),
    "demo": ("proxyweb.cli.demo", "demo", "Show everything with made-up traffic, and leave nothing behind."),
    "user": ("proxyweb.cli.users", "user", "Add, list and remove users, or set a password."),
}


class Commands(click.Group):
    """The commands of the table above. What goes wrong is one sentence on stderr and exit code 1; usage is 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ProxywebError as error:
            complain(_sentence(error), _form(ctx.invoked_subcommand))
            sys.exit(1)


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="proxyweb")
def main() -> None:
    """Squid's access log in one SQLite file, and the API that answers from it."""


def _form(command: str | None) -> str:
    """How to say what went wrong: a program that runs for ever has its log's format, even for a bad configuration."""
    if command in ("serve", "follow") and os.environ.get("PROXYWEB_LOG_FORMAT") == "json":
        return "json"
    return form_in_use()


def _sentence(error: ProxywebError) -> str:
    return error.detail[:1].upper() + error.detail[1:] if isinstance(error, Invalid) else error.detail
