"""What is said of a configuration that is not, or not quite, what the settings ask for."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

import pytest

from proxyweb.settings import Value
from proxyweb.squid_conf import process
from proxyweb.squid_conf.build import Build
from proxyweb.squid_conf.comparison import compare
from proxyweb.squid_conf.directives import read
from proxyweb.squid_conf.include_file import include_file
from tests.squid_conf.places import PLACES, values, written

BUILD = Build("5.7")
BUMPING = Build("5.7", can_bump=True, has_certificate_helper=True)


class Folder:
    """A folder with a `squid.conf` in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.main = path / "squid.conf"
        self.ours = path / "proxyweb.conf"

    def write(self, *lines: str, **changed: Value) -> None:
        """Our file for the settings, and a `squid.conf` of these lines behind the place of the process id."""
        self.ours.write_text(written(settings=values(**changed)))
        self.main.write_text("\n".join((f"pid_filename {self.path}/squid.pid", *lines)) + "\n")

    def wrong(self, build: Build = BUILD, **changed: Value) -> list[str]:
        """What is not well, or not known, but for that no Squid is running."""
        settings = values(**changed)
        found = compare(self.main, include_file(settings, PLACES, build), settings, build)
        return [
            finding.sentence.replace(f"{self.path}/", "")
            for finding in found
            if not finding.fine and "isn't running" not in finding.sentence
        ]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_all_is_well(folder: Folder) -> None:
    folder.write(
        "http_access deny !safe", "http_access allow localhost manager", f"include {folder.path}/*.conf.d/x",
        f"  include   {folder.path}/proxyweb.con?  # ours", "http_access allow all",
    )  # fmt: skip
    assert folder.wrong() == []


def test_what_is_not_there(folder: Folder) -> None:
    folder.write("http_access allow all")
    assert folder.wrong() == ["squid.conf includes no file that 'proxyweb squid-conf' wrote."]
    folder.write(f"include {folder.path}/none.conf", f"include {folder.path}/proxyweb.conf", "include proxyweb.conf")
    assert folder.wrong() == [
        "none.conf is included, but isn't there.",
        "proxyweb.conf is included by a relative path: where it is depends on how Squid was started.",
    ]
    folder.main.unlink()
    assert folder.wrong() == ["squid.conf can't be read: No such file or directory."]


def test_an_include_without_end(folder: Folder) -> None:
    folder.write(f"include {folder.main}")
    assert "squid.conf is included too deeply." in folder.wrong()


def test_a_sentence_for_each_block_that_differs(folder: Folder) -> None:
    folder.write(f"include {folder.ours}", enable_rate_limiting=True, working_hours="D 07:00-08:00")
    assert folder.wrong() == [
        "proxyweb.conf isn't what the settings ask for in: Rate limiting: enable_rate_limiting, rate_limit_connections."
    ]
    assert len(folder.wrong(enable_time_restrictions=True, enable_content_filtering=True)) == 3
    folder.ours.write_text(folder.ours.read_text().replace("maxconn 100", "maxconn 1000"))
    assert len(folder.wrong(enable_rate_limiting=True)) == 1
    folder.write(f"include {folder.ours}")
    folder.ours.write_text(folder.ours.read_text().replace("# Include it", "http_access allow all\n# Include it"))
    assert folder.wrong() == ["proxyweb.conf was changed by hand; write it anew."]


def test_what_bypasses_it(folder: Folder) -> None:
    folder.write(
        "acl boss src 10.0.0.1", "http_access allow \\", "  boss", "http_reply_access allow all",
        f"include {folder.ours}", f"access_log daemon:{PLACES.access_log} squid", "access_log none",
    )  # fmt: skip
    assert folder.wrong() == [
        "squid.conf line 3 (http_access allow boss) lets pass before proxyweb.conf is asked.",
        f"squid.conf line 7 (access_log daemon:{PLACES.access_log} squid) writes every request into the same log once"
        " more.",
    ]
    folder.ours.write_text(written(settings=values(enable_content_filtering=True)))
    assert folder.wrong(enable_content_filtering=True)[1] == (
        "squid.conf line 5 (http_reply_access allow all) lets pass before proxyweb.conf is asked."
    )


def test_two_of_them(folder: Folder) -> None:
    folder.write(f"include {folder.ours}", f"include {folder.path}/second.conf")
    (folder.path / "second.conf").write_text(written())
    assert folder.wrong()[0] == "second.conf is included as well as proxyweb.conf: keep one of them."


def test_https_that_is_not_decrypted(folder: Folder) -> None:
    folder.write("http_port 3128", f"include {folder.ours}", ssl_bump_enabled=True)
    assert folder.wrong(ssl_bump_enabled=True) == [
        "HTTPS filtering is on, but this Squid 5.7 was built without OpenSSL and can't decrypt (on Debian, the package"
        " squid-openssl can)."
    ]
    folder.ours.write_text(written(build=BUMPING, settings=values(ssl_bump_enabled=True)))
    assert folder.wrong(BUMPING, ssl_bump_enabled=True) == [
        "HTTPS filtering is on, but no http_port has ssl-bump, so nothing is decrypted."
    ]
    folder.main.write_text(folder.main.read_text().replace("3128", "3128 ssl-bump"))
    assert folder.wrong(BUMPING, ssl_bump_enabled=True) == []


def test_words_as_squid_reads_them(tmp_path: Path) -> None:
    main = tmp_path / "squid.conf"
    main.write_text('# acl x\n\nacl a src 1 # 2\n  acl "b c" \\\n src\\\n   3\nacl d#e "f\n')
    assert [(directive.words, directive.line) for directive in read(main).directives] == [
        (("acl", "a", "src", "1"), 3), (("acl", "b c", "src", "3"), 4), (("acl", "d#e", '"f'), 7),
    ]  # fmt: skip


def test_a_number_that_is_no_squid(tmp_path: Path) -> None:
    pid_file = tmp_path / "squid.pid"
    assert process.process_id(pid_file) is None
    for text in ("", "x", "4194304999", str(os.getpid())):
        pid_file.write_text(text)
        assert process.process_id(pid_file) is None


def test_since_when_a_process_is_there() -> None:
    assert time.time() - 3600 * 24 < process.started_at(os.getpid()) <= time.time() + 1


def test_when_squid_read_its_configuration(tmp_path: Path) -> None:
    log = tmp_path / "cache.log"
    log.write_text(
        "2026/01/02 03:04:05 kid1| Starting Squid Cache version 5.7 for x86_64-pc-linux-gnu...\n"
        "2026/01/02 03:04:09 kid1| Accepting HTTP\n"
    )
    with gzip.open(tmp_path / "cache.log.1.gz", "wb") as rotated:
        rotated.write(b"2026/01/02 03:04:07| Reconfiguring Squid Cache (version 6.13)...\n")
    (tmp_path / "cache.log.old").write_text("2026/01/02 03:04:08| Reconfiguring Squid Cache (version 6.13)...\n")
    moment = time.mktime((2026, 1, 2, 3, 4, 7, 0, 0, -1))
    assert process.configured_at(process.logs_since(log, 0)) == moment
    assert process.configured_at([log]) == moment - 2
    assert process.logs_since(log, time.time() + 60) == []
    assert process.configured_at([]) is None
    with pytest.raises(FileNotFoundError):
        process.logs_since(tmp_path / "none.log", 0)
