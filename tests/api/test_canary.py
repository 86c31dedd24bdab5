"""With `gdpr_mode` on, no client address or user name leaves by any route; the routes are the app's own list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask

from tests.clients import Client
from tests.conftest import ADMIN_PASSWORD, START
from tests.ingest.importing import import_log

ADDRESSES = ("198.51.100.213", "2001:db8:77:4242::beef", "::ffff:203.0.113.99", "canary-pc.lan")
TRACES = re.compile("198\\.51\\.100\\.213|c633:64d5|4242|beef|203\\.0\\.113\\.99|cb00:7163|canary", re.IGNORECASE)
DIGESTS = {"ETag", "X-Request-ID"}  # in which any hexadecimal digits may stand
QUERIES = (
    "",
    "limit=1",
    "sort=client_ip",
    "sort=source_ip&order=asc&limit=2",
    "sort=destination&limit=1",
    "client=198.51.100.213",
    "client=198.51.100.0/24",
    "user=canary.user",
    "search=canary",
    "format=ndjson",
    "format=csv",
)
VALUES = {"ip": "198.51.100.x", "name": "gdpr_mode"}


@pytest.fixture
def masked(admin: Client, instance: Path) -> Client:
    """An instance in which canaries browsed and signed in, and masking was then switched on."""
    import_log(
        instance,
        "".join(
            f"{int(START) - number}.000 7 {address} TCP_{result} 286 GET "
            "http://site.test/stop?who=canary@mail.test canary.user HIER_DIRECT/192.0.2.1 text/html\n"
            for number, address in enumerate(ADDRESSES)
            for result in ("MISS/200", "DENIED/403")
        ).encode(),
        "canary.log",
    )
    for address in ADDRESSES[:3]:
        login = {"username": "admin", "password": ADMIN_PASSWORD}
        admin.post("/api/auth/login", json=login, environ_base={"REMOTE_ADDR": address})
        assert admin.post("/api/ip-blacklist", json={"ip": address}).status_code == 200
    assert admin.put("/api/settings/gdpr_mode", json={"value": True}).status_code == 200
    return admin


def addresses(app: APIFlask) -> Iterator[str]:
    """Every GET route, its path's variables filled in."""
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()):
            yield re.sub(r"<(?:\w+:)?(\w+)>", lambda found: VALUES.get(found[1], "1"), rule.rule)


def test_no_route_tells_who(app: APIFlask, masked: Client) -> None:
    asked = 0
    for path in addresses(app):
        for query in QUERIES:
            answer = masked.get(f"{path}?{query}")
            # What the asker wrote may be repeated to them; an answer that is not an error must hold no trace.
            if answer.status_code == 200:
                found = TRACES.search(answer.get_data(as_text=True).replace(query, ""))
                assert not found, (path, query, found)
                headers = "".join(value for name, value in answer.headers if name not in DIGESTS)
                assert not TRACES.search(headers), (path, query)
                asked += 1
    assert asked >= 15


def test_a_cursor_holds_no_whole_address(masked: Client) -> None:
    from base64 import urlsafe_b64decode

    for sort in ("client_ip", "source_ip", "timestamp", "destination", "method", "status", "bytes"):
        cursor = ""
        while cursor is not None:
            cursor = masked.get(f"/api/logs?limit=1&sort={sort}{cursor and f'&cursor={cursor}'}").json["next"]
            assert not TRACES.search(urlsafe_b64decode(f"{cursor or ''}===").decode()), sort


def test_the_same_figures_are_given_for_a_masked_client(masked: Client) -> None:
    assert masked.get("/api/logs?client=198.51.100.x").json["total"] == 2
    assert masked.get("/api/logs?client=2001:db8:77::x").json["total"] == 2
    assert masked.get("/api/logs?client=203.0.113.x").json["total"] == 2
