"""The include file as text: a block for each thing that Squid does for us, made from the settings.

Tried with Squid 5.7, with and without OpenSSL. All names in it begin with `proxyweb`, so that they are no one else's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from proxyweb.errors import ConfigError
from proxyweb.ingest.logformat import BUMP_MODE, logformat
from proxyweb.settings import Value
from proxyweb.squid_conf import content
from proxyweb.squid_conf.build import Build
from proxyweb.waf.helper import FORMAT

MARK = "# Written by 'proxyweb squid-conf' from its settings"
PREAMBLE = f"""\
{MARK}; what is changed here by hand is lost.
# Include it behind your own denials and before the first 'http_access allow' for users; see docs/squid.md.
"""
HEADING = "## "
LIMITS = "ttl=0 negative_ttl=0 grace=0 cache=0 children-max=2 children-startup=0 concurrency=200 queue-size=2000"
_NOT_IN_A_PATH = re.compile(r'[\x00-\x20\x7f"\'\\%$#]')
_NOT_IN_QUOTES = re.compile(r'[\x00-\x1f\x7f"\\]')


class Block(NamedTuple):
    """A heading, the settings that it follows from, and lines."""

    title: str
    settings: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def heading(self) -> str:
        return f"{HEADING}{self.title}: {', '.join(self.settings)}" if self.settings else f"{HEADING}{self.title}"


@dataclass(frozen=True)
class Places:
    """Where Squid is to write its log, and how it starts the helper. All paths are absolute."""

    access_log: Path
    instance: Path
    program: tuple[str, ...]
    """What runs `proxyweb`, word by word."""


def text(blocks: Iterable[Block]) -> str:
    """The whole file."""
    return PREAMBLE + "".join("\n".join(("", block.heading, *block.lines, "")) for block in blocks)


def include_file(settings: Mapping[str, Value], places: Places, build: Build) -> list[Block]:
    """All blocks, in the order in which Squid is to heed them: the helper last, since only it costs something.

    Raises ConfigError where a path can't be written in squid.conf.
    """
    return [
        _log(places, build),
        _https(settings, build),
        _time(settings),
        _rate(settings),
        _content(settings),
        _helper(places),
    ]


def warnings(settings: Mapping[str, Value], build: Build | None) -> list[str]:
    """Where the file does less than the settings say."""
    if build is None:
        return ["There is no Squid here to ask what it can; the file is for one without OpenSSL."]
    if settings["ssl_bump_enabled"] and not build.can_bump:
        return [
            f"HTTPS filtering is on, but this Squid {build.version} was built without OpenSSL and can't decrypt"
            " (on Debian, the package squid-openssl can)."
        ]
    return []


def _log(places: Places, build: Build) -> Block:
    path = unquoted(str(places.access_log), "The access log's path")
    form = logformat(BUMP_MODE if build.can_bump else "-")
    return Block("Log", (), (form, f"access_log stdio:{path} proxyweb"))


def _https(settings: Mapping[str, Value], build: Build) -> Block:
    title, names = "HTTPS filtering", ("ssl_bump_enabled", "ssl_bump_exceptions")
    if not settings["ssl_bump_enabled"]:
        return Block(title, names, ("# off",))
    if not build.can_bump:
        return Block(title, names, ("# on, but this Squid was built without OpenSSL: it would refuse to start",))
    storage = f"-s {unquoted(str(build.cache_folder / 'ssl_db'), 'The path of the certificates')} -M 4MB"
    helper = unquoted(str(build.helper_folder / "security_file_certgen"), "The certificate helper's path")
    lines = [
        "# Squid decrypts on ports of squid.conf that are made for it, in the name of an authority that clients trust:",
        "#   http_port 3128 ssl-bump generate-host-certificates=on tls-cert=/etc/squid/authority.pem",
    ]
    if build.has_certificate_helper:
        lines += [f"# Made once, as Squid's user: {helper} -c {storage}", f"sslcrtd_program {helper} {storage}"]
    lines += ["acl proxyweb_hello at_step SslBump1", "ssl_bump peek proxyweb_hello"]
    exceptions = [domain for domain in str(settings["ssl_bump_exceptions"]).split(",") if domain]
    lines += [f"acl proxyweb_encrypted ssl::server_name .{domain}" for domain in exceptions]
    if exceptions:
        lines.append("ssl_bump splice proxyweb_encrypted")
    return Block(title, names, (*lines, "ssl_bump bump all"))


def _time(settings: Mapping[str, Value]) -> Block:
    title, names = "Time restrictions", ("enable_time_restrictions", "working_hours")
    if not settings["enable_time_restrictions"]:
        return Block(title, names, ("# off",))
    hours = [f"acl proxyweb_working_hours time {hours}" for hours in str(settings["working_hours"]).split(", ")]
    return Block(title, names, (*hours, "http_access deny !proxyweb_working_hours"))


def _rate(settings: Mapping[str, Value]) -> Block:
    title, names = "Rate limiting", ("enable_rate_limiting", "rate_limit_connections")
    if not settings["enable_rate_limiting"]:
        return Block(title, names, ("# off",))
    limit = f"acl proxyweb_connections maxconn {settings['rate_limit_connections']}"
    return Block(title, names, ("client_db on", limit, "http_access deny proxyweb_connections"))


def _content(settings: Mapping[str, Value]) -> Block:
    title, names = "Content filtering", ("enable_content_filtering", "content_filter_extensions")
    if not settings["enable_content_filtering"]:
        return Block(title, names, ("# off",))
    extensions = str(settings["content_filter_extensions"]).split(",")
    lines = [
        f"acl proxyweb_file_paths urlpath_regex -i {content.path_pattern(extensions)}",
        "http_access deny proxyweb_file_paths",
        f"acl proxyweb_file_names rep_header Content-Disposition -i {content.name_pattern(extensions)}",
        "http_reply_access deny proxyweb_file_names",
    ]
    if types := content.types_pattern(extensions):
        lines += [f"acl proxyweb_file_types rep_mime_type -i {types}", "http_reply_access deny proxyweb_file_types"]
    return Block(title, names, tuple(lines))


def _helper(places: Places) -> Block:
    """Always there, so that its switches and lists are in force within 2 s, without a new file.

    Without any of them it lets everything pass.
    """
    instance = argument(f"PROXYWEB_INSTANCE={places.instance}", "The instance folder's path")
    words = [argument(word, "The path of proxyweb's program") for word in (*places.program, "waf-helper")]
    command = " ".join(("/usr/bin/env", instance, *words))
    return Block(
        "The WAF, the domain and address lists, direct-IP blocking",
        (),
        (
            "# The helper heeds enable_waf, enable_domain_blacklist, enable_ip_blacklist and block_direct_ip by itself,"
            " 0.4 s",
            "# after they change. This stays as it is whatever they say.",
            f"external_acl_type proxyweb_waf {LIMITS} {FORMAT} {command}",
            "acl proxyweb_denied external proxyweb_waf",
            "http_access deny proxyweb_denied",
        ),
    )


def unquoted(path: str, what: str) -> str:
    """A path where Squid takes no quotes. Raises ConfigError where it would need them."""
    if _NOT_IN_A_PATH.search(path):
        raise ConfigError(f"{what} can't be written in squid.conf: it must have no blanks, quotes or any of \\ % $ #.")
    return path


def argument(word: str, what: str) -> str:
    """A word of the helper's command, in quotes if it needs them. Raises ConfigError where quotes don't help."""
    if _NOT_IN_QUOTES.search(word):
        raise ConfigError(f"{what} can't be written in squid.conf: it must have no double quotes, \\ or line ends.")
    return f'"{word}"' if _NOT_IN_A_PATH.search(word) else word
