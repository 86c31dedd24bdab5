"""What lies on the disk is its owner's alone, and no address leads to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyweb.db import damage
from proxyweb.waf import patterns
from tests.e2e.program import Follow, command, environment
from tests.e2e.server import Server
from tests.ingest.factory import log, traffic
from tests.security.wire import ADMIN, asked, get

CLIMBING = tuple(
    f"{below}{up * times}{name}".encode()
    for below in ("/static/", "/assets/x/", "/assets/", "/api/", "/")
    for up in (
        "../",
        "..%2f",
        "%2e%2e/",
        "%2e%2e%2f",
        "..%5c",
        "..\\",
        "%252e%252e%252f",
        "..;/",
        "....//",
        "%c0%ae%c0%ae/",
    )
    for times, name in ((1, "app.py"), (4, "instance/secret.key"), (9, "etc/passwd"))
)
OUTRIGHT = (
    b"/static//etc/passwd", b"/static/%2fetc%2fpasswd", b"/assets/x//etc/passwd", b"/assets/x/%2fetc%2fpasswd",
    b"/static/docs.css%00.key", b"/static/", b"/static", b"/assets/x/", b"/assets/", b"/.git/config",
    b"/instance/proxyweb.sqlite", b"/proxyweb.sqlite", b"/secret.key", b"/static/file:///etc/passwd", b"/wsgi.py",
    b"file:///etc/passwd", b"/static/~root", b"/static/CON", b"/dev/zero", b"/proc/self/environ", b"/config.toml",
)  # fmt: skip


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(*places: Path) -> dict[str, str]:
    """Everything below that anybody but its owner may read or write; a folder may be entered by its group."""
    found = {}
    for place in places:
        for path in (place, *place.rglob("*")):
            mode = path.lstat().st_mode & 0o777
            if not path.is_symlink() and mode & (0o027 if path.is_dir() else 0o077):
                found[str(path)] = oct(mode)
    return found


def test_every_command_keeps_what_it_writes_to_its_owner(tmp_path: Path, no_umask: None) -> None:
    """The folder above is made, too; a running server's files are looked at below."""
    above, out = tmp_path / "above", tmp_path / "out"
    instance, access_log = above / "deep" / "instance", tmp_path / "access.log"
    out.mkdir(mode=0o700)
    access_log.write_bytes(log(*traffic(200)))
    for words in (
        ("import", str(access_log)),
        ("backup", str(out / "backup.sqlite")),
        ("restore", "--yes", str(out / "backup.sqlite")),
        ("clear-old",),
    ):
        done = command(instance, access_log, *words)
        assert done.returncode == 0, (words, done.stderr)
    assert (instance / "secret.key").exists()
    assert list(instance.glob("*before-restore*"))
    with Follow(instance, access_log) as follow:
        follow.wait(lambda: follow.status is not None)
        assert open_to_others(instance, out) == {}
    assert [oct(folder.stat().st_mode & 0o022) for folder in (above, above / "deep")] == ["0o0"] * 2


def test_a_running_servers_files_are_its_owners(server: Server) -> None:
    assert asked(server, get(b"/api/logs/export?search=nowhere", ADMIN)).status == 200
    names = {path.name for path in server.instance.iterdir()}
    assert {"proxyweb.sqlite", "proxyweb.sqlite-wal", "proxyweb.sqlite-shm", "secret.key", "server.lock"} <= names
    assert open_to_others(server.instance) == {}
    masks = {
        line.split()[1]
        for pid in server.descendants()
        for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
        if line.startswith("Umask:")
    }
    assert masks == {"0077"}, "though it was started with none"


def test_what_is_left_beside_the_database_is_its_owners(instance: Path, tmp_path: Path, no_umask: None) -> None:
    damage.mark(instance / "proxyweb.sqlite")
    assert damage.is_marked(instance / "proxyweb.sqlite")
    hyperscan = pytest.importorskip("hyperscan", reason="hyperscan is for x86-64 only")
    database = hyperscan.Database()
    database.compile(expressions=[b"evil"], ids=[0], elements=1, flags=[0])
    patterns._keep(instance / "cache" / "patterns.1", b"key", database)
    assert (instance / "cache" / "patterns.1").exists()
    assert open_to_others(instance) == {}


def test_a_mark_is_not_written_through_a_link(instance: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    damage.mark_of(instance / "proxyweb.sqlite").symlink_to(tmp_path / "mine")
    damage.mark(instance / "proxyweb.sqlite")
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("credentials", [b"", ADMIN], ids=["nobody", "admin"])
def test_no_address_leads_to_a_file_of_another_folder(server: Server, credentials: bytes) -> None:
    for path in (*CLIMBING, *OUTRIGHT):
        answer = asked(server, get(path, credentials))
        assert answer.status in {400, 401, 404, 308, 302}, (path, answer)
        assert b"root:" not in answer.body
        assert b"import" not in answer.body, path


def test_what_is_served_lies_apart_from_what_is_stored(server: Server) -> None:
    package = Path(damage.__file__).parent.parent
    served = [package / "static", package / "dashboard" / "static"]
    assert not [folder for folder in served if server.instance.is_relative_to(folder)]
    assert not [path for folder in served for path in folder.rglob("*") if path.is_symlink()]
    assert not [path for folder in served for path in folder.rglob("*.sqlite*")]


def test_names_that_hold_escapes_are_told_in_one_line(instance: Path, tmp_path: Path) -> None:
    """A terminal would do what they say."""
    name = tmp_path / "a\x1b[2J\x9b31m\nWRONG all is lost\u202e.log"
    name.write_bytes(b"garbage\n")
    missing = tmp_path / "missing\x1b]0;x\x07\n"
    for words in (
        ("import", name, missing), ("backup", missing / "x"), ("restore", "--yes", name),
        ("user", "remove", "eve\x1b[2J\n"), ("squid-conf", "--output", missing / "x"),
    ):  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "proxyweb", *words], env=environment(instance, Path("/nowhere/access.log")),
            input="a good password\n", capture_output=True, text=True, check=False,
        )  # fmt: skip
        for line in (done.stdout + done.stderr).splitlines():
            assert line.isprintable(), (words, line)
            assert not line.startswith("WRONG all"), words


def test_a_backup_is_not_written_through_a_link(instance: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    done = command(instance, Path("/nowhere/access.log"), "backup", "--force", str(tmp_path / "link"))
    assert (done.returncode, (tmp_path / "mine").read_text()) == (0, "mine")
