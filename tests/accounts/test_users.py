"""Users: one first admin, names that Basic can carry, and always an admin left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from proxyweb.accounts import users
from proxyweb.db.connection import connect
from proxyweb.db.session import open_session, transaction
from proxyweb.errors import ConfigError, Conflict, Invalid, NotFound
from proxyweb.queries.generations import generations
from proxyweb.start import prepare
from tests.conftest import START, Clock, configuration

PREPARE = """
from proxyweb.config import load
from proxyweb.start import prepare
print(prepare(load()) or "")
"""


def names(database: Path) -> list[tuple[str, str]]:
    conn = connect(database, readonly=True)
    try:
        return [(found.username, found.role) for found in users.listed(conn)]
    finally:
        conn.close()


def test_the_first_admins_password_is_told_once(tmp_path: Path) -> None:
    config = configuration(tmp_path / "new")
    password = prepare(config, Clock())
    assert password is not None
    assert len(password) == 20
    assert prepare(config, Clock()) is None
    assert names(config.database) == [("admin", "admin")]
    assert oct(config.instance.stat().st_mode)[-3:] == "750"
    assert {oct(path.stat().st_mode)[-3:] for path in config.instance.iterdir()} == {"600"}


def test_an_operators_own_password_is_not_repeated(tmp_path: Path) -> None:
    config = configuration(tmp_path / "new", ADMIN_USERNAME="root", ADMIN_PASSWORD="a good password")
    assert prepare(config, Clock()) is None
    assert names(config.database) == [("root", "admin")]


@pytest.mark.parametrize(("name", "value"), [("ADMIN_PASSWORD", "short"), ("ADMIN_USERNAME", "a:b")])
def test_what_the_operator_gave_must_hold(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"PROXYWEB_{name}"):
        prepare(configuration(tmp_path / "new", **{name: value}), Clock())


def test_processes_that_start_at_once_make_one_admin(tmp_path: Path) -> None:
    environment = {**os.environ, "PROXYWEB_INSTANCE": str(tmp_path / "new"), "PROXYWEB_ACCESS_LOG": ""}
    started = [
        subprocess.Popen([sys.executable, "-c", PREPARE], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=30)[0].strip() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert sorted(map(bool, said)) == [False, False, True]
    assert names(tmp_path / "new" / "proxyweb.sqlite") == [("admin", "admin")]


def test_adding_and_removing(instance: Path) -> None:
    database = instance / "proxyweb.sqlite"
    conn = connect(database, readonly=True)
    before = generations(conn)["accounts"]
    with transaction(open_session(database)) as session:
        users.add(session, "eve", "a good password", "admin", START)
        users.remove(session, "admin")
    assert names(database) == [("eve", "admin"), ("viewer", "viewer")]
    assert generations(conn)["accounts"] > before
    conn.close()
    with pytest.raises(Conflict, match="last admin"), transaction(open_session(database)) as session:
        users.remove(session, "eve")
    with pytest.raises(NotFound), transaction(open_session(database)) as session:
        users.remove(session, "nobody")
    with pytest.raises(NotFound), transaction(open_session(database)) as session:
        users.set_password(session, "nobody", "a good password", START)
    with pytest.raises(Conflict, match="viewer already"), transaction(open_session(database)) as session:
        users.add(session, "viewer", "a good password", "viewer", START)
    with pytest.raises(Invalid, match="role"), transaction(open_session(database)) as session:
        users.add(session, "mallory", "a good password", "owner", START)


def test_the_first_user_is_an_admin(tmp_path: Path) -> None:
    config = configuration(tmp_path / "new")
    prepare(config, Clock())
    conn = connect(config.database)
    conn.execute("DELETE FROM users")
    conn.close()
    with pytest.raises(Conflict, match="first user"), transaction(open_session(config.database)) as session:
        users.add(session, "eve", "a good password", "viewer", START)


@pytest.mark.parametrize("name", ["", "a:b", " a", "a ", "a\nb", "\u202ea", "x" * 65, "a\0b"])
def test_names_that_can_not_be(name: str) -> None:
    with pytest.raises(Invalid, match="username"):
        users.check_name(name)


def test_names_that_can_be() -> None:
    for name in ("a", "jörg", "first last", "x" * 64, "o'neil@example.com"):
        users.check_name(name)
