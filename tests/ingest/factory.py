"""Requests as the formats write them, and what each format tells of them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from time import gmtime, strftime
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from proxyweb.db.connection import connect
from proxyweb.db.migrate import migrate
from proxyweb.ingest.record import NO_VERDICT, Record, ResultKind, WafVerdict, reason_for

START_MS = 1_770_000_000_250  # 2026-02-02 02:40:00.250 UTC
FORMATS = ("native", "common", "combined", "proxyweb")


@dataclass(frozen=True)
class Request:
    """One request, with everything that any format tells. Absent texts are empty."""

    time_ms: int = START_MS
    elapsed_ms: int = 12
    client: str = "10.0.0.7"
    result_code: str = "TCP_MISS"
    status: int = 200
    size: int = 1234
    method: str = "GET"
    url: str = "http://shop.test/item?id=7"
    user: str = ""
    hierarchy: str = "HIER_DIRECT"
    peer: str = "192.0.2.1"
    content_type: str = "text/html"
    bytes_in: int = 321
    origin_status: int = 200
    user_agent: str = ""
    referer: str = ""
    error_code: str = ""
    bump_mode: str = ""
    waf: WafVerdict = NO_VERDICT

    def line(self, log_format: str = "native") -> bytes:
        """The line without its end."""
        writers: dict[str, Callable[[Request], str]] = {
            "native": native, "common": common, "combined": combined, "proxyweb": proxyweb,
        }  # fmt: skip
        return writers[log_format](self).encode()

    def record(self, log_format: str = "native") -> Record:
        """What a reader of that format can know."""
        kind = ResultKind(self.method, self.result_code, self.status, self.hierarchy, self.content_type)
        record = Record(
            self.time_ms, self.elapsed_ms, self.client, kind, self.url, self.size, self.peer, self.user
        )  # fmt: skip
        if log_format == "proxyweb":
            kind = kind._replace(
                origin_status=self.origin_status, error_code=self.error_code, bump_mode=self.bump_mode
            )  # fmt: skip
            record = replace(
                record, user_agent=self.user_agent, referer=self.referer, bytes_in=self.bytes_in, waf=self.waf
            )  # fmt: skip
        elif log_format != "native":
            kind = kind._replace(content_type="")
            record = replace(record, time_ms=self.time_ms // 1000 * 1000, elapsed_ms=0, peer="")
        if log_format == "combined":
            record = replace(record, user_agent=self.user_agent, referer=self.referer)
        return replace(record, kind=kind._replace(reason=reason_for(kind, record.waf != NO_VERDICT)))


def native(it: Request) -> str:
    """`%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt`."""
    return _native(it, _bracketed(it.user), it.content_type or "-")


def common(it: Request) -> str:
    """`%>a %[ui %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st %Ss:%Sh`."""
    return f"{_request(it)} {it.result_code}:{it.hierarchy}"


def combined(it: Request) -> str:
    """Common with the referer and the user agent, as they came, before the result."""
    return f'{_request(it)} "{it.referer or "-"}" "{it.user_agent or "-"}" {it.result_code}:{it.hierarchy}'


def proxyweb(it: Request) -> str:
    """Native with what clients send percent-escaped, the mark, and nine fields of our own."""
    waf = ("-", "-", "-")
    if it.waf != NO_VERDICT:
        waf = _escaped(it.waf.categories), str(it.waf.score), _escaped(it.waf.rules)
    own = (
        "pw1", it.bytes_in, it.origin_status or "-", _escaped(it.user_agent), _escaped(it.referer),
        _escaped(it.error_code), it.bump_mode or "-", *waf,
    )  # fmt: skip
    return " ".join((_native(it, _escaped(it.user), _escaped(it.content_type)), *map(str, own)))


def _native(it: Request, user: str, content_type: str) -> str:
    return (
        f"{it.time_ms // 1000}.{it.time_ms % 1000:03d} {it.elapsed_ms:6d} {it.client} {it.result_code}/{it.status:03d}"
        f" {it.size} {it.method} {it.url} {user} {it.hierarchy}/{it.peer or '-'} {content_type}"
    )


def _request(it: Request) -> str:
    moment = strftime("%d/%b/%Y:%H:%M:%S +0000", gmtime(it.time_ms // 1000))
    return (
        f'{it.client} - {_bracketed(it.user)} [{moment}] "{it.method} {it.url} HTTP/1.1" {it.status} {it.size}'
    )  # fmt: skip


def _escaped(text: str) -> str:
    """Squid's `%#`."""
    return quote(text, safe="/:?&=,;+!$()*@.-_~") or "-"


def _bracketed(text: str) -> str:
    """Squid's `%[`: brackets, `%`, control and 8-bit bytes percent-escaped, backslashes doubled."""
    escaped = re.sub(rb"[\[\]%\x00-\x1f\x7f-\xff]", lambda byte: b"%%%02x" % byte[0][0], text.encode())
    return escaped.decode().replace("\\", "\\\\") or "-"


def log(*requests: Request, log_format: str = "native") -> bytes:
    """A file of whole lines."""
    return b"".join(request.line(log_format) + b"\n" for request in requests)


def traffic(count: int, start: int = 0, step_ms: int = 250, **fields: Any) -> list[Request]:
    """Ordinary requests that differ: nine clients, seven sites, now and then a user or a block."""
    made = []
    for number in range(start, start + count):
        blocked = number % 11 == 0
        it: dict[str, Any] = {
            "time_ms": START_MS + number * step_ms,
            "client": f"10.0.0.{number % 9}",
            "url": f"http://site{number % 7}.test/page/{number}",
            "user": "ayse" if number % 5 == 0 else "",
            "result_code": "TCP_DENIED" if blocked else "TCP_MISS",
            "status": 403 if blocked else 200,
            "hierarchy": "HIER_NONE" if blocked else "HIER_DIRECT",
            "size": 200 + number,
            "user_agent": f"Agent/{number % 4}",
        }
        made.append(Request(**it | fields))
    return made


@cache
def _empty_database() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.sqlite"
        migrate(path)
        return path.read_bytes()


def new_database(path: Path) -> sqlite3.Connection:
    """A connection to a database of its own, with nothing in it."""
    path.write_bytes(_empty_database())
    return connect(path)


_WORD = st.text("abcxyzABC019-_.~", min_size=1, max_size=8)
_PATH = st.one_of(
    st.text("abcz019/?#&=%+-_.~:@!$'()*,;é日\"\\[]|", max_size=20),
    st.sampled_from(["/a/b.JS", "/x.tar.gz?v=1.2", "?q=a.js", "#a.js", "/.htaccess", "/a.b/c", "/v.1", "/a.mp3#t=1"]),
)
_TEXT = st.text("ab 1%[]\\\"'é日,;:-/", max_size=16).map(lambda text: " ".join(text.split())).filter(lambda t: t != "-")
_UNQUOTED = _TEXT.map(lambda text: text.replace('"', "")).filter(lambda text: text != "-")
_HOSTS = (
    "a.test", "192.0.2.9", "[2001:db8::1]", "bücher.test", "user:pw@a.test", "www.dropbox.com", "dl.dropbox.com",
    "chatgpt.com", "notdropbox.com", "a.co.uk",
)  # fmt: skip
_HOST = st.one_of(_WORD, st.sampled_from(_HOSTS))
_OUTCOMES = st.sampled_from(
    [
        ("TCP_MISS", 200, "HIER_DIRECT", "192.0.2.1"),
        ("TCP_MEM_HIT", 304, "HIER_NONE", ""),
        ("TCP_DENIED", 403, "HIER_NONE", ""),
        ("TCP_DENIED", 407, "HIER_NONE", ""),
        ("TCP_MISS", 403, "HIER_DIRECT", "2001:db8::2"),
        ("NONE_NONE", 400, "HIER_NONE", ""),
        ("TCP_MISS_ABORTED", 0, "TIMEOUT_HIER_DIRECT", "192.0.2.1"),
        ("TCP_REFRESH_FAIL_OLD", 999, "CARP", "10.9.9.9"),
    ]
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Requests that every format can carry: a user agent holds no quote, since `combined` does not escape it."""
    result_code, status, hierarchy, peer = draw(_OUTCOMES)
    method, url = draw(
        st.one_of(
            st.tuples(st.just("CONNECT"), st.builds("{}:{}".format, _HOST, st.integers(1, 65535))),
            st.tuples(
                st.sampled_from(["GET", "POST", "PROPFIND", "open", "-"]),
                st.builds("{}://{}{}".format, st.sampled_from(["http", "https", "ftp"]), _HOST, _PATH),
            ),
            st.tuples(st.just("GET"), st.sampled_from(["urn:foo:bar", "ahmet", "/local/path", "*", "http://:80*"])),
        )
    )
    verdict = st.builds(WafVerdict, st.integers(1, 99), st.sampled_from(["sqli", "lfi,recon"]), st.just("930120"))
    return Request(
        time_ms=START_MS + draw(st.integers(-(10**8), 10**8)),
        elapsed_ms=draw(st.integers(0, 10**6)),
        client=draw(st.sampled_from(["10.0.0.1", "::1", "pc.local"])),
        result_code=result_code,
        status=status,
        size=draw(st.integers(0, 10**12)),
        method=method,
        url=url,
        user=draw(_TEXT.filter(lambda user: not user.endswith(" -"))),
        hierarchy=hierarchy,
        peer=peer,
        content_type=draw(st.sampled_from(["", "text/html", "image/png", "x/[y]"])),
        bytes_in=draw(st.integers(0, 10**9)),
        origin_status=draw(st.sampled_from([0, 200, 403])),
        user_agent=draw(_UNQUOTED),
        referer=draw(_UNQUOTED),
        error_code=draw(st.sampled_from(["", "ERR_ACCESS_DENIED", "451:ERR_ACCESS_DENIED"])),
        bump_mode=draw(st.sampled_from(["", "none", "terminate"])),
        waf=draw(st.one_of(st.just(NO_VERDICT), verdict)),
    )
