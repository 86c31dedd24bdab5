"""`proxyweb user` and what the command says when something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from apiflask import APIFlask
from click.testing import CliRunner, Result

from proxyweb import __version__
from proxyweb.cli import COMMANDS, main
from tests.clients import basic, signed_in
from tests.conftest import VIEWER_PASSWORD

Run = Callable[..., Result]


@pytest.fixture
def run(instance: Path) -> Run:
    """Runs `proxyweb` on the test's instance, with `given` on stdin."""

    def command(*words: str, given: str = "", **variables: str) -> Result:
        environment = {"PROXYWEB_INSTANCE": str(instance), "PROXYWEB_ACCESS_LOG": "", **variables}
        return CliRunner().invoke(main, words, input=given, env=environment, prog_name="proxyweb")

    return command


def test_help_and_version(run: Run) -> None:
    assert run("--version").output == f"proxyweb, version {__version__}\n"
    said = run("--help").output
    assert all(f"  {name}" in said for name in COMMANDS)
    for name in COMMANDS:
        assert run(name, "--help").exit_code == 0


def test_a_user_is_added_and_signs_in(run: Run, app: APIFlask) -> None:
    assert run("user", "add", "eve", given="a good password\n").output == "Added eve (viewer).\n"
    assert signed_in(app, basic("eve", "a good password")).get("/api/status").status_code == 200
    assert [line.split("\t")[:2] for line in run("user", "list").output.splitlines()] == [
        ["admin", "admin"],
        ["eve", "viewer"],
        ["viewer", "viewer"],
    ]
    assert run("user", "remove", "eve").output == "Removed eve.\n"
    assert signed_in(app, basic("eve", "a good password")).get("/api/status").status_code == 401


def test_a_new_password_is_in_force_in_running_servers(run: Run, app: APIFlask) -> None:
    before = signed_in(app, basic("viewer", VIEWER_PASSWORD))
    assert before.get("/api/status").status_code == 200
    assert run("user", "password", "viewer", given="something else").exit_code == 0
    assert before.get("/api/status").status_code == 401
    entry = signed_in(app, basic("viewer", "something else")).get("/api/audit-log").json["data"][-1]
    assert (entry["action"], entry["target"], entry["source_ip"]) == ("password changed", "viewer", "")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("user", "add", "eve"), "8 to 1024 characters"),
        (("user", "add", "a:b"), "colon"),
        (("user", "remove", "admin"), "last admin"),
        (("user", "remove", "nobody"), "no user nobody"),
    ],
)
def test_what_goes_wrong_is_one_sentence(run: Run, words: tuple[str, ...], sentence: str) -> None:
    result = run(*words, given="short\n")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("proxyweb: ")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_usage_and_configuration(run: Run) -> None:
    assert run("user", "add").exit_code == 2
    assert run("user", "add", "eve", "--role", "owner").exit_code == 2
    assert run("nonsense").exit_code == 2
    result = run("user", "list", PROXYWEB_WORKERS="many")
    assert (result.exit_code, result.stderr) == (1, "proxyweb: PROXYWEB_WORKERS must be a whole number from 1 to 64.\n")
