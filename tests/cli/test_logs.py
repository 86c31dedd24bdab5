"""`proxyweb import`, `clear-old`, `check` and what `follow` refuses."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import zstandard
from apiflask import APIFlask
from click.testing import CliRunner, Result

from proxyweb.cli import main
from proxyweb.db.connection import connect
from proxyweb.ingest.status import FollowerStatus, StatusFile
from tests.clients import basic, signed_in
from tests.conftest import ADMIN_PASSWORD
from tests.ingest.factory import log, traffic

Run = Callable[..., Result]
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}


@pytest.fixture
def run(instance: Path) -> Run:
    """Runs `proxyweb` on the test's instance, with `given` on stdin."""

    def command(*words: object, given: bytes = b"", **variables: str) -> Result:
        environment = {"PROXYWEB_INSTANCE": str(instance), "PROXYWEB_ACCESS_LOG": "", **variables}
        stdin = io.BytesIO(given)
        return CliRunner().invoke(main, list(map(str, words)), input=stdin, env=environment, prog_name="proxyweb")

    return command


def rows(instance: Path) -> int:
    with closing(connect(instance / "proxyweb.sqlite", readonly=True)) as conn:
        return int(conn.execute("SELECT count(*) FROM proxy_logs").fetchone()[0])


def aged(path: Path) -> Path:
    """A file that nobody writes to any more."""
    os.utime(path, (time.time() - 60,) * 2)
    return path


def test_every_compression_and_nothing_twice(run: Run, instance: Path, tmp_path: Path) -> None:
    content = log(*traffic(500))
    for number, (suffix, packed) in enumerate(PACKERS.items()):
        path = tmp_path / f"access.log.{number}{suffix}"
        path.write_bytes(packed(content))
        result = run("import", path)
        assert result.exit_code == 0, result.output
        if number:
            assert "Imported 0 requests from 1 file in" in result.output
            assert f"Skipped {len(content):,} bytes that had been read before.\n" in result.output
        else:
            assert re.match(r"Imported 500 requests from 1 file in \d+\.\d s \([\d,]+ lines/s\)\.\n$", result.output)
    assert "Imported 0 requests" in run("import", "-", given=content).output
    assert "Imported 0 requests" in run("import", "-", given=gzip.compress(content)).output
    assert rows(instance) == 500
    assert "Imported 500 requests" in run("import", "--again", tmp_path / "access.log.0").output
    assert rows(instance) == 1000


def test_what_grew_and_a_pipe(run: Run, instance: Path, tmp_path: Path) -> None:
    assert "Imported 30 requests" in run("import", "-", given=log(*traffic(30))).output
    path = tmp_path / "access.log"
    path.write_bytes(log(*traffic(50)))
    assert "Imported 20 requests" in run("import", path).output
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["sh", "-c", 'cat "$1" > "$2"', "sh", path, fifo]):
        assert "Imported 0 requests" in run("import", fifo).output
    assert rows(instance) == 50


def test_summary_of_rejected_lines_and_an_open_end(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(log(*traffic(5)) + b"garbage\n\nmore\n" + log(*traffic(1, start=5))[:-1])
    said = run("import", path).output
    assert "Rejected 3 lines: not a line of Squid's access log (2), blank (1).\n" in said
    assert re.search(r"Left \d+ bytes of a last line that has no end yet\.\n", said)
    assert "Imported 1 request from" in run("import", aged(path)).output


def test_damage_is_told_and_the_rest_is_read(run: Run, instance: Path, tmp_path: Path) -> None:
    damaged, sound = tmp_path / "a.gz", tmp_path / "b.log"
    damaged.write_bytes(gzip.compress(log(*traffic(20_000)))[:-5000])
    sound.write_bytes(log(*traffic(10, start=50_000)))
    result = run("import", damaged, tmp_path, tmp_path / "missing", sound)
    assert result.exit_code == 1
    assert re.search(rf"^{damaged} is damaged after \d+ bytes of content: .+\.$", result.stdout, re.MULTILINE)
    assert result.stderr.splitlines() == [
        f"proxyweb: {tmp_path} can't be read: Is a directory.",
        f"proxyweb: {tmp_path / 'missing'} can't be read: No such file or directory.",
    ]
    before = rows(instance)
    assert 10 < before < 20_010
    assert run("import", damaged).exit_code == 1
    assert rows(instance) == before


def test_the_first_import_makes_the_database(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(log(*traffic(3)))
    words = (
        "import sys; from proxyweb.cli import main; sys.argv = ['proxyweb', 'import', sys.argv[1]]\n"
        "try: main()\nfinally: print('alembic' in sys.modules, 'sqlalchemy' in sys.modules)"
    )
    environment = {**os.environ, "PROXYWEB_INSTANCE": str(tmp_path / "new"), "PROXYWEB_ACCESS_LOG": ""}
    done = subprocess.run(
        [sys.executable, "-c", words, path], env=environment, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert done.stdout.startswith("Imported 3 requests")
    assert done.stdout.endswith("False False\n"), "Alembic would stay in memory"
    assert (tmp_path / "new" / "proxyweb.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_bar_on_a_terminal(tmp_path: Path, instance: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(log(*traffic(3000)))
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PROXYWEB_INSTANCE": str(instance), "PROXYWEB_ACCESS_LOG": "", "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-m", "proxyweb", "import", path], env=environment, stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        said = process.communicate(timeout=20)[0]
    os.close(theirs)
    shown = os.read(ours, 65_536)
    os.close(ours)
    assert b"100%" in shown
    assert said.startswith(b"Imported 3,000 requests")


def test_clear_old(run: Run, instance: Path, tmp_path: Path, app: APIFlask) -> None:
    path = tmp_path / "access.log"
    now = int(time.time() * 1000)
    path.write_bytes(log(*(request for request in traffic(20, time_ms=now - 40 * 86_400_000))))
    with path.open("ab") as file:
        file.write(log(*traffic(5, start=20, time_ms=now)))
    run("import", path)
    result = run("clear-old")
    assert (result.exit_code, result.output) == (0, "Cleared old logs: 20 entries deleted\n")
    assert run("clear-old").output == "Cleared old logs: 0 entries deleted\n"
    assert rows(instance) == 5
    entries = signed_in(app, basic("admin", ADMIN_PASSWORD)).get("/api/audit-log").json["data"]
    found = [(entry["username"], entry["action"], entry["details"]) for entry in entries[:2]]
    assert found == [("cli", "old logs cleared", f"{count} entries") for count in (0, 20)]


def test_clear_old_twice_at_once(instance: Path, tmp_path: Path, run: Run) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(log(*traffic(70_000, step_ms=1)))
    run("import", path)
    environment = {**os.environ, "PROXYWEB_INSTANCE": str(instance), "PROXYWEB_ACCESS_LOG": ""}
    words = [sys.executable, "-m", "proxyweb", "clear-old"]
    both = [subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=30)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(int(re.findall(r"\d+", line)[0]) for line in said) == 70_000
    assert rows(instance) == 0
    assert run("check").exit_code == 0


def test_check_of_what_is_sound(run: Run, instance: Path, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(log(*traffic(70_000)))
    run("import", path)
    file = StatusFile(instance / "follower.json")
    file.write(FollowerStatus(time.time(), "following", None, str(path), 0, 0, 0))
    file.close()
    for option in ((), ("--full",)):
        result = run("check", *option, PROXYWEB_ACCESS_LOG=str(path))
        assert result.exit_code == 0, result.output
        assert {line[:6] for line in result.output.splitlines()} == {"ok    "}
        for word in ("quick_check" if not option else "integrity_check", "rollups", "zones", "posting", "following"):
            assert word in result.output


def test_check_of_what_is_wrong(run: Run, instance: Path, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(log(*traffic(100)))
    run("import", path)
    with closing(connect(instance / "proxyweb.sqlite")) as conn:
        conn.execute("UPDATE hourly_requests SET requests = requests + 1")
        conn.execute("UPDATE log_zones SET rows = 7")
        conn.execute("INSERT INTO user_postings VALUES (1, x'0000')")
    file = StatusFile(instance / "follower.json")
    file.write(FollowerStatus(time.time(), "error", "The disk is full.", str(path), 0, 0, 0))
    file.close()
    result = run("check", PROXYWEB_ACCESS_LOG=f"{path},{tmp_path / 'missing'}")
    assert result.exit_code == 1
    assert [line for line in result.output.splitlines() if line.startswith("WRONG")] == [
        "WRONG hourly_requests: 1 row differs from a recount of the log.",
        "WRONG log_zones: 1 zones differ from the rows.",
        "WRONG user_postings: 1 segments differ from the rows.",
        f"WRONG {tmp_path / 'missing'} can't be read: No such file or directory.",
        "WRONG The follower is in trouble: The disk is full.",
    ]


def test_check_of_a_database_that_is_none(run: Run, instance: Path) -> None:
    database = instance / "proxyweb.sqlite"
    database.write_bytes(os.urandom(20_000))
    result = run("check")
    assert (result.exit_code, result.output.splitlines()[0]) == (
        1, f"WRONG The database {database} is not an SQLite database, or its first page is damaged: restore a backup.",
    )  # fmt: skip
    database.unlink()
    result = run("check", PROXYWEB_ACCESS_LOG="/nowhere/access.log")
    assert result.exit_code == 1
    assert "WRONG The follower is not running; 'proxyweb serve' starts it.\n" in result.output
    assert not database.exists()


@pytest.mark.parametrize("words", [("import", "x"), ("follow",), ("clear-old",), ("check",)])
def test_a_wrong_variable_is_one_sentence(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words, PROXYWEB_ACCESS_LOG="relative.log")
    assert result.exit_code == 1
    assert result.output == (
        "proxyweb: PROXYWEB_ACCESS_LOG must be absolute paths separated by commas; relative.log is not absolute.\n"
    )


def test_usage(run: Run) -> None:
    assert run("import").exit_code == 2
    result = run("follow")
    assert (result.exit_code, result.output) == (
        1, "proxyweb: There is no log to follow; name one in PROXYWEB_ACCESS_LOG.\n",
    )  # fmt: skip
