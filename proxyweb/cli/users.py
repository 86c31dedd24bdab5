"""`proxyweb user`: add, password, list, remove. Passwords are typed, or read from stdin; never an argument."""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy.orm import Session

from proxyweb import audit
from proxyweb.accounts import passwords, users
from proxyweb.config import load
from proxyweb.db.connection import connect
from proxyweb.db.session import open_session, transaction
from proxyweb.escaping import one_line
from proxyweb.instance import prepare_instance, prepare_schema


@click.group()
def user() -> None:
    """Add, list and remove users, or set a password."""


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice(users.ROLES), default="viewer", show_default=True)
def add(name: str, role: str) -> None:
    """Add the user NAME; the password is asked for, or read from stdin."""
    users.check_name(name)
    password = _password()
    with _writing() as session:
        users.add(session, name, password, role, time.time())
        _record(session, "user added", name, f"role {role}")
    click.echo(f"Added {name} ({role}).")


@user.command()
@click.argument("name")
def password(name: str) -> None:
    """Give NAME a new password; everywhere they are signed in they are signed out."""
    new = _password()
    with _writing() as session:
        users.set_password(session, name, new, time.time())
        _record(session, "password changed", name)
    click.echo(f"The password of {name} is changed.")


@user.command("list")
def list_users() -> None:
    """List every user with role and dates (UTC)."""
    conn = connect(_database())
    try:
        for found in users.listed(conn):
            changed = time.strftime("%Y-%m-%d", time.gmtime(found.password_changed_at))
            click.echo(f"{one_line(found.username)}\t{found.role}\tpassword of {changed}")
    finally:
        conn.close()


@user.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove NAME; their tokens stop working at once. The last admin stays."""
    with _writing() as session:
        users.remove(session, name)
        _record(session, "user removed", name)
    click.echo(f"Removed {name}.")


@contextmanager
def _writing() -> Iterator[Session]:
    with transaction(open_session(_database())) as session:
        yield session


def _database() -> Path:
    config = load()
    prepare_instance(config)
    prepare_schema(config)
    return config.database


def _record(session: Session, action: str, name: str, details: str = "") -> None:
    audit.record(session, time.time(), f"{getpass.getuser()} (command)", action, target=name, details=details)


def _password() -> str:
    """Typed twice at a terminal, else the first line of stdin. Raises Invalid when it can't be a password."""
    if sys.stdin.isatty():
        given: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    passwords.check(given)
    return given
