"""`proxyweb squid-conf`: where it prints, what it writes and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from proxyweb.cli import main
from proxyweb.squid_conf.include_file import MARK
from tests.e2e.asking import change

Run = Callable[..., Result]
SAYS = """\
#!/bin/sh
echo "Squid Cache: Version 6.13"
echo "configure options:  '--sysconfdir=/nowhere' '--with-openssl' '--enable-ssl-crtd'"
"""


@pytest.fixture
def run(instance: Path) -> Run:
    def command(*words: str, **variables: str) -> Result:
        environment = {"PROXYWEB_INSTANCE": str(instance), "PROXYWEB_ACCESS_LOG": "", **variables}
        return CliRunner().invoke(main, ["squid-conf", *words], env=environment, prog_name="proxyweb")

    return command


@pytest.fixture
def program(tmp_path: Path) -> str:
    """A Squid that only says what it is."""
    path = tmp_path / "squid-that-can"
    path.write_text(SAYS)
    path.chmod(0o755)
    return str(path)


def test_it_prints(run: Run, instance: Path) -> None:
    printed = run()
    assert printed.exit_code == 0
    assert printed.stdout.startswith(MARK)
    assert f"PROXYWEB_INSTANCE={instance}" in printed.stdout
    assert "access_log stdio:/var/log/squid/access.log proxyweb" in printed.stdout
    assert "stdio:/a.log " in run(PROXYWEB_ACCESS_LOG="/a.log").stdout
    assert "stdio:/b.log " in run("--access-log", "/b.log", PROXYWEB_ACCESS_LOG="/a.log,/c.log").stdout


def test_it_writes_only_what_is_new_and_all_at_once(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "conf" / "proxyweb.conf"
    assert "can't be written: No such file" in run("--output", str(file)).stderr
    file.parent.mkdir()
    assert run("--output", str(file)).stdout.startswith(f"Wrote {file}; ")
    before = file.stat()
    assert oct(before.st_mode & 0o777) == "0o644"
    assert run("--output", str(file)).stdout == f"{file} is what the settings ask for.\n"
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert run("--output", str(file), "--access-log", "/b.log").stdout.startswith("Wrote ")
    assert list(file.parent.iterdir()) == [file]


def test_what_the_build_can_is_in_it(run: Run, instance: Path, program: str) -> None:
    change(instance, ssl_bump_enabled="true")
    can = run("--squid", program)
    assert "\nssl_bump bump all\n" in can.stdout
    assert can.stderr == ""
    there_is_none = run("--squid", "no-squid-of-this-name")
    assert "ssl_bump bump" not in there_is_none.stdout
    assert "There is no Squid here to ask" in there_is_none.stderr
    assert there_is_none.exit_code == 0


def test_check_begins_where_squid_says(run: Run, program: str) -> None:
    result = run("--check", "--squid", program)
    assert result.exit_code == 1
    assert result.stdout.startswith("?     /nowhere/squid.conf can't be read: No such file or directory.\n")


@pytest.mark.parametrize(
    ("words", "log", "sentence"),
    [
        ((), "/a.log,/b.log", "say with --access-log"),
        (("--access-log", "/a b.log"), "", "can't be written in squid.conf"),
        (("--squid", "/bin/true"), "", "doesn't say what it is"),
        (("--check", "--squid", "no-squid-of-this-name"), "", "name Squid's program"),
    ],
)
def test_what_goes_wrong_is_one_sentence(run: Run, words: tuple[str, ...], log: str, sentence: str) -> None:
    result = run(*words, PROXYWEB_ACCESS_LOG=log)
    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_without_a_database(run: Run, tmp_path: Path) -> None:
    result = run(PROXYWEB_INSTANCE=str(tmp_path / "empty"))
    assert result.exit_code == 1
    assert "'proxyweb serve' makes it" in result.stderr
    assert not (tmp_path / "empty").exists()


def test_usage(run: Run) -> None:
    assert run("--check", "--output", "x").exit_code == 2
