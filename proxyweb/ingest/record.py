"""What one line of a log says, and what follows from it: who said no, and the status as people read it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

POLICY, WAF, AUTH, ORIGIN, TERMINATED = "policy", "waf", "auth", "origin", "terminated"
BLOCKING_REASONS = (POLICY, WAF, ORIGIN, TERMINATED)
HIT, MISS = "hit", "miss"

_SCHEME_AND_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+._\-]*://([^/?#]*)[/?#]?")  # `_` for cache_object
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class ResultKind(NamedTuple):
    """How a request ended: the part of a line that takes few values, kept once (`result_kinds`).

    Absent texts are empty, absent numbers 0. `result_code` is Squid's `%Ss`, `status_code` the `%>Hs` sent to the
    client, `origin_status` the `%<Hs` received, `hierarchy_code` `%Sh`, `error_code` `%err_code`, `bump_mode`
    `%ssl::bump_mode`.
    """

    method: str
    result_code: str
    status_code: int
    hierarchy_code: str
    content_type: str
    origin_status: int = 0
    error_code: str = ""
    bump_mode: str = ""
    reason: str = ""


class WafVerdict(NamedTuple):
    """What the WAF found in a request: its score and the comma-separated categories and rules."""

    score: int
    categories: str
    rules: str


NO_VERDICT = WafVerdict(-1, "", "")  # the WAF did not look at the request
INNOCENT = WafVerdict(0, "", "")


@dataclass(frozen=True, slots=True)
class Record:
    """One request. Times in Unix milliseconds, sizes in bytes; absent texts are empty."""

    time_ms: int
    elapsed_ms: int
    client: str
    kind: ResultKind
    url: str
    bytes: int
    peer: str = ""
    user: str = ""
    user_agent: str = ""
    bytes_in: int = 0
    referer: str = ""
    waf: WafVerdict = NO_VERDICT


def reason_for(kind: ResultKind, waf_blocked: bool = False) -> str:
    """Who said no: policy, waf, auth, origin or terminated; empty when nobody did.

    From what Squid 5.7 writes in each case. Only `TCP_DENIED/407` is a challenge and not a block. A 403 is the
    origin's (or a parent's) when one was asked or the answer came from the cache; without either, Squid or an ICAP
    service made it.
    """
    code, status = kind.result_code, kind.status_code
    if "DENIED" in code or "BLOCKED" in code:
        if status == 407 and code == "TCP_DENIED":
            return AUTH
        return WAF if waf_blocked else POLICY
    if kind.bump_mode == "terminate":
        return TERMINATED
    if status == 403:
        if kind.origin_status == 403:
            return ORIGIN
        if kind.error_code == "ERR_ACCESS_DENIED" or answered_by_proxy(kind):
            return POLICY
        return ORIGIN
    return ""


def answered_by_proxy(kind: ResultKind) -> bool:
    """Whether Squid made the answer itself: neither an origin was asked nor the cache."""
    code = kind.result_code
    if "DENIED" in code or "BLOCKED" in code or code.startswith(("NONE", "TAG_NONE")):
        return True
    nobody_asked = kind.hierarchy_code in ("HIER_NONE", "NONE")
    return nobody_asked and "HIT" not in code and not kind.origin_status


def cache_result(kind: ResultKind) -> str:
    """`hit` when the answer came out of Squid's cache, revalidated or stale included; `miss` when it had to be fetched;
    empty when no cache was asked (tunnels, what Squid answered itself, ICP)."""
    code = kind.result_code
    if not code.startswith("TCP_") or "DENIED" in code:
        return ""
    if "HIT" in code or "REFRESH_UNMODIFIED" in code or "REFRESH_FAIL_OLD" in code:
        return HIT
    return MISS if "MISS" in code or "REFRESH" in code else ""


def is_opaque(kind: ResultKind) -> bool:
    """Whether it is a tunnel that was let through and not decrypted. Squid logs a CONNECT that it decrypts as NONE_NONE
    (older: NONE, TAG_NONE), and the requests in it after it."""
    if kind.method != "CONNECT" or kind.bump_mode == "bump" or "NONE" in kind.result_code:
        return False
    return kind.reason in ("", ORIGIN)


def status_text(kind: ResultKind) -> str:
    """`<code> <text>`: `200 OK`, `403 TCP_DENIED`, `200 Connection established`, `000 TCP_MISS_ABORTED`."""
    code = kind.status_code
    if kind.method == "CONNECT" and code == 200:
        return "200 Connection established"
    if code == 0 or answered_by_proxy(kind) or code not in _PHRASES:
        return f"{code:03d} {kind.result_code}"
    return f"{code:03d} {_PHRASES[code]}"


def split_destination(url: str) -> tuple[str, str]:
    """`(prefix, rest)` with `prefix + rest == url`: up to and including the delimiter after the authority.

    Without a scheme (CONNECT's `host:port`, `urn:…`, `error:…`) all of it is prefix, so that in sorted order every
    prefix's destinations stand together.
    """
    match = _SCHEME_AND_AUTHORITY.match(url)
    return (url[: match.end()], url[match.end() :]) if match else (url, "")


def host_of(prefix: str) -> str:
    """The host of a destination's prefix, folded, without user, port, brackets or a trailing dot; may be empty."""
    match = _SCHEME_AND_AUTHORITY.match(prefix)
    if match:
        authority = match[1].rpartition("@")[2]
    elif prefix.startswith(("error:", "urn:", "/")) or prefix == "*":
        return ""
    else:
        authority = prefix
    if authority.startswith("["):
        host = authority[1:].partition("]")[0]
    elif authority.count(":") > 1:
        host = authority
    else:
        host = authority.partition(":")[0]
    return host.lower().rstrip(".")


def is_address(host: str) -> bool:
    """Whether a host is a literal IPv4 or IPv6 address."""
    if not (host and (host[-1].isdigit() or ":" in host)):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
