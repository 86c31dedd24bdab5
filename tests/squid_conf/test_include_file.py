"""The include file as a function of the settings."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from proxyweb.errors import ConfigError
from proxyweb.settings import Value
from proxyweb.squid_conf.build import UNKNOWN, Build, build_of
from proxyweb.squid_conf.content import name_pattern, path_pattern, types_pattern
from proxyweb.squid_conf.include_file import warnings
from tests.squid_conf.places import PLACES, values, written

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "squid.md"
BUMPING = Build("5.7", can_bump=True, has_certificate_helper=True)
SAID = (
    "Squid Cache: Version 6.13\nService Name: squid\nDebian linux\n\nThis binary uses OpenSSL 3.5.\n\n"
    "configure options:  '--sysconfdir=/etc' '--sysconfdir=/etc/squid6' 'CXXFLAGS=-g -O2' '--with-pidfile=/run/s.pid'"
)


def made(build: Build = UNKNOWN, **changed: Value) -> str:
    return written(build=build, settings=values(**changed))


def directives(content: str) -> list[str]:
    return [line for line in content.splitlines() if line and not line.startswith("#")]


def test_with_everything_off_it_logs_and_asks_the_helper() -> None:
    assert [line.split()[0] for line in directives(written())] == [
        "logformat", "access_log", "external_acl_type", "acl", "http_access",
    ]  # fmt: skip


def test_the_documentation_shows_what_is_in_it() -> None:
    shown = {line.strip() for line in DOCUMENTATION.read_text("utf-8").splitlines()}
    assert set(directives(written())) <= shown


@pytest.mark.parametrize(
    "switch", ["enable_waf", "enable_domain_blacklist", "enable_ip_blacklist", "block_direct_ip", "gdpr_mode"]
)
def test_what_the_helper_heeds_by_itself_changes_nothing(switch: str) -> None:
    assert written(settings={**values(), switch: True}) == written()


def test_the_helper_is_asked_last() -> None:
    content = made(enable_time_restrictions=True, enable_rate_limiting=True, enable_content_filtering=True)
    rules = [line for line in directives(content) if line.startswith("http_access")]
    assert rules == [
        "http_access deny !proxyweb_working_hours",
        "http_access deny proxyweb_connections",
        "http_access deny proxyweb_file_paths",
        "http_access deny proxyweb_denied",
    ]


def test_parameters_are_in_it() -> None:
    content = made(
        enable_time_restrictions=True, working_hours="MTW 08:00-12:00, A 09:00-24:00",
        enable_rate_limiting=True, rate_limit_connections=7,
    )  # fmt: skip
    assert "acl proxyweb_working_hours time MTW 08:00-12:00\n" in content
    assert "acl proxyweb_working_hours time A 09:00-24:00\n" in content
    assert "acl proxyweb_connections maxconn 7\n" in content


def test_what_only_openssl_knows_is_only_there_with_it() -> None:
    for content in (written(), made(ssl_bump_enabled=True, ssl_bump_exceptions="bank.example")):
        assert not re.search("ssl_bump|ssl::|at_step|sslcrtd", "\n".join(directives(content)))
    assert "%#.128err_code %ssl::bump_mode %#.64{waf_category}note" in written(build=BUMPING)
    content = made(BUMPING, ssl_bump_enabled=True, ssl_bump_exceptions="bank.example,a.example")
    assert [line for line in directives(content) if line.startswith("ssl_bump")] == [
        "ssl_bump peek proxyweb_hello", "ssl_bump splice proxyweb_encrypted", "ssl_bump bump all",
    ]  # fmt: skip
    assert "acl proxyweb_encrypted ssl::server_name .bank.example\n" in content


def test_what_the_file_can_not_do_is_said() -> None:
    asked = values(ssl_bump_enabled=True)
    assert warnings(asked, BUMPING) == warnings(values(), Build("5.7")) == []
    assert "built without OpenSSL" in warnings(asked, Build("5.7"))[0]
    assert "no Squid here" in warnings(values(), None)[0]


@pytest.mark.parametrize("name", ["in stance", "it's", "100%", "a#b", "$x"])
def test_words_of_the_helper_are_quoted(name: str) -> None:
    assert f'"PROXYWEB_INSTANCE=/srv/{name}"' in written(replace(PLACES, instance=Path(f"/srv/{name}")))


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nhttp_access allow all", "a\x00"])
def test_paths_that_squid_can_not_be_told_are_refused(name: str) -> None:
    for places in (
        replace(PLACES, instance=Path("/srv") / name),
        replace(PLACES, access_log=Path("/var/log") / name),
        replace(PLACES, program=(f"/opt/{name}/proxyweb",)),
    ):
        with pytest.raises(ConfigError, match=r"can't be written in squid\.conf"):
            written(places)


def test_a_log_is_not_quoted_and_so_has_no_blanks() -> None:
    with pytest.raises(ConfigError, match="The access log's path"):
        written(replace(PLACES, access_log=Path("/var/log/a b.log")))


def test_a_build_is_known_by_what_it_says() -> None:
    build = build_of(SAID)
    assert (build.version, build.can_bump) == ("6.13", False)
    assert build.main_configuration == Path("/etc/squid6/squid.conf")
    assert build.pid_file == Path("/run/s.pid")
    assert build_of(f"{SAID} '--with-openssl'").can_bump
    assert build_of(f"{SAID} '--with-openssl=/usr'").can_bump
    assert not build_of(f"{SAID} '--with-openssl=no'").can_bump
    assert not build_of(f"{SAID} '--without-openssl'").can_bump


def matches(pattern: str, text: str) -> bool:
    """By Python, which spells POSIX's classes otherwise."""
    spelt = pattern.replace("[:space:]", r"\s").replace("[^[:alnum:]]", "[^a-zA-Z0-9]")
    return re.search(spelt, text, re.IGNORECASE) is not None


@pytest.mark.parametrize(
    ("path", "blocked"),
    [
        ("/x.exe", True), ("/a/X.EXE?v=1", True), ("/x.exe;id=1?x", True), ("/x.exe. ", True), ("/a.tar.msi", True),
        ("/x.html", False), ("/exe", False), ("/x.exe.html", False), ("/x.exes", False), ("/x?file=a.exe", False),
        ("/a.exe/b", False), ("/", False), ("", False),
    ],
)  # fmt: skip
def test_paths(path: str, blocked: bool) -> None:
    assert matches(path_pattern(["exe", "msi"]), path) == blocked


@pytest.mark.parametrize(
    ("header", "blocked"),
    [
        ('attachment; filename="setup.exe"', True), ("attachment; filename=setup.EXE; size=1", True),
        ("attachment; filename*=UTF-8''a%20b.msi", True), ('attachment; filename="a.exe"; filename*=UTF-8\'\'a', True),
        ('attachment; filename="a.exe.txt"', False), ("inline", False), ('form-data; name="a.exe"', False),
    ],
)  # fmt: skip
def test_names(header: str, blocked: bool) -> None:
    assert matches(name_pattern(["exe", "msi"]), header) == blocked


def test_types_follow_from_the_extensions() -> None:
    pattern = types_pattern(["exe", "ps1"])
    for name in (
        "application/x-msdownload",
        "application/vnd.microsoft.portable-executable",
        "application/x-dosexec; a",
    ):
        assert matches(pattern, name)
    for name in ("application/octet-stream", "application/x-msi", "application/x-msdownloads", "text/html"):
        assert not matches(pattern, name)
    assert types_pattern(["ps1"]) == ""
    assert "rep_mime_type" not in made(enable_content_filtering=True, content_filter_extensions="ps1")
