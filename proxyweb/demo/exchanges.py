"""What was asked and how it went: method, result, content type, size, duration and URL path that fit each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from proxyweb.demo.apportion import apportion, zipf
from proxyweb.demo.content import FAMILIES, KINDS, Kind

CONNECT_SHARE = 0.60
DENIED_SHARE = 0.03
FRESH_SHARE = 0.69
"""Share of the http:// requests whose URL was never asked for before."""

SLOTS = 1 << 14
LONGEST_MS = 4 * 3600 * 1000

METHODS = {"GET": 78.0, "POST": 15, "HEAD": 3, "PUT": 1.5, "OPTIONS": 1.5, "DELETE": 0.5, "PATCH": 0.3, "PROPFIND": 0.2}
SAFE_METHODS = {"GET", "HEAD"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result: Squid's `%Ss`, the client's status, whether an origin was asked and what it said itself (`%<Hs`)."""

    result: str
    status: str
    direct: bool
    origin_status: str = "-"


TUNNELS = {
    Outcome("TCP_TUNNEL", "200", direct=True): 98.6,
    Outcome("TCP_TUNNEL", "503", direct=True): 0.5,
    Outcome("NONE_NONE", "503", direct=False): 0.9,
}
FORWARDED = {
    Outcome("TCP_MISS", "200", True, "200"): 70.0,
    Outcome("TCP_MISS", "204", True, "204"): 2,
    Outcome("TCP_MISS", "206", True, "206"): 1,
    Outcome("TCP_MISS", "301", True, "301"): 2,
    Outcome("TCP_MISS", "302", True, "302"): 3,
    Outcome("TCP_MISS", "403", True, "403"): 1,
    Outcome("TCP_MISS", "404", True, "404"): 3,
    Outcome("TCP_MISS", "500", True, "500"): 0.5,
    Outcome("TCP_MISS", "502", True, "502"): 0.3,
    Outcome("TCP_MISS", "503", True): 0.7,
    Outcome("TCP_MISS_ABORTED", "000", True): 1.5,
}
CACHEABLE = FORWARDED | {
    Outcome("TCP_MISS", "304", True, "304"): 6,
    Outcome("TCP_HIT", "200", False): 4,
    Outcome("TCP_MEM_HIT", "200", False): 6,
    Outcome("TCP_IMS_HIT", "304", False): 1.5,
    Outcome("TCP_REFRESH_UNMODIFIED", "200", True, "304"): 3,
    Outcome("TCP_REFRESH_UNMODIFIED", "304", True, "304"): 2,
    Outcome("TCP_REFRESH_MODIFIED", "200", True, "200"): 1.5,
    Outcome("TCP_CLIENT_REFRESH_MISS", "200", True, "200"): 0.6,
}
NO_NOTES = "- - -"
"""The WAF's categories, score and rules."""
DENIED = Outcome("TCP_DENIED", "403", direct=False)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Everything about a request but its time, client and host; numbers are text already, as they are only printed."""

    method: str
    result: str
    status: str
    direct: bool
    origin_status: str
    error: str
    elapsed: str
    bytes_to_client: str
    bytes_from_client: str
    content_type: str
    tunnel: bool
    fresh: bool
    path: str
    tail: str
    referer_path: str
    notes: str = NO_NOTES


def exchanges(rng: Random) -> list[Exchange]:
    """A pool of exchanges with the shares above; a fresh one's URL gets a token of its own between path and tail."""
    tunnels, others = apportion(SLOTS, (CONNECT_SHARE, 1 - CONNECT_SHARE))
    return [*tunnel_exchanges(rng, tunnels), *http_exchanges(rng, others)]


def tunnel_exchanges(rng: Random, count: int) -> Iterator[Exchange]:
    """CONNECT requests: long, with bytes both ways, no content type unless Squid's own error page."""
    allowed = rng.choices(list(TUNNELS), list(TUNNELS.values()), k=count)
    for number, outcome in enumerate(allowed):
        denied = number < count * DENIED_SHARE
        yield exchange(
            rng, "CONNECT", DENIED if denied else outcome, elapsed=15_000, size=6_500, received=2_200, content_type="-"
        )


def http_exchanges(rng: Random, count: int) -> Iterator[Exchange]:
    """Plain requests: the content type settles the path's shape and the size, the method which results are possible."""
    methods = rng.choices(list(METHODS), list(METHODS.values()), k=count)
    fetched = rng.choices(KINDS, zipf(len(KINDS), 0.9), k=count)
    called = rng.choices([kind for kind in KINDS if kind.family == "api"], k=count)
    cacheable = rng.choices(list(CACHEABLE), list(CACHEABLE.values()), k=count)
    forwarded = rng.choices(list(FORWARDED), list(FORWARDED.values()), k=count)
    for number, method in enumerate(methods):
        safe = method in SAFE_METHODS
        kind = fetched[number] if safe else called[number]
        outcome = cacheable[number] if safe else forwarded[number]
        yield exchange(
            rng,
            method,
            DENIED if number < count * DENIED_SHARE else outcome,
            elapsed=90 if outcome.direct else 1,
            size=350 if method == "HEAD" else kind.size,
            received=480 if safe else 1_900,
            content_type=kind.content_type,
            kind=kind,
        )


def exchange(
    rng: Random,
    method: str,
    outcome: Outcome,
    *,
    elapsed: float,
    size: float,
    received: float,
    content_type: str,
    kind: Kind | None = None,
) -> Exchange:
    """Draw one exchange; `elapsed` (ms), `size` and `received` (bytes) are medians of log-normal laws."""
    fresh = kind is not None and rng.random() < FRESH_SHARE
    path, tail = url_shape(rng, kind, fresh) if kind else ("", "")
    if outcome.status == "000":
        sent, content_type = 0, "-"
    elif outcome.status in ("304", "204"):
        sent = rng.randrange(180, 420)
    elif outcome.status in ("403", "500", "502", "503"):
        sent, content_type = rng.randrange(3_300, 4_200), "text/html"
    else:
        sent = 39 + int(size * rng.lognormvariate(0, 1.4))
    return Exchange(
        method=method,
        result=outcome.result,
        status=outcome.status,
        direct=outcome.direct,
        origin_status=outcome.origin_status,
        error="ERR_ACCESS_DENIED" if outcome is DENIED else "-",
        elapsed=str(0 if outcome is DENIED else min(int(elapsed * rng.lognormvariate(0, 1.3)), LONGEST_MS)).rjust(6),
        bytes_to_client=str(sent),
        bytes_from_client=str(120 + int(received * rng.lognormvariate(0, 0.6))),
        content_type=content_type,
        tunnel=kind is None,
        fresh=fresh,
        path=path,
        tail=tail,
        referer_path="/" if kind and rng.random() < 0.6 else "",
    )


def url_shape(rng: Random, kind: Kind, fresh: bool) -> tuple[str, str]:
    """A URL's path and what follows its token; one that is asked for again has no token, and all of it in its path."""
    family = FAMILIES[kind.family]
    if fresh:
        return rng.choice(family.folders), kind.extension + rng.choice(family.tails)
    return rng.choice(family.names) + kind.extension + rng.choice(family.versions), ""
