"""A real Squid writes, a real `proxyweb follow` reads, and the API tells what happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask

from proxyweb.db.connection import connect
from proxyweb.ingest.logformat import LOGFORMAT
from tests.clients import basic, signed_in
from tests.conftest import ADMIN_PASSWORD
from tests.e2e.origin import Origin, has_ipv6
from tests.e2e.program import Follow
from tests.e2e.squid import BANNED_IP, Squid

WAF = """\
acl attack urlpath_regex -i union.*select
acl marked annotate_transaction waf_category=sqli waf_rule=942100 waf_score=9
http_access deny attack marked""".splitlines()
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
Entry = tuple[str, str, str, bool, str | None]
Request = tuple[Callable[[], object], Entry]


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as origin:
        yield origin


def everyday(squid: Squid, origin: Origin) -> list[Request]:
    """Requests, each with the client, method, status, whether it was blocked and why, that are to be told of it."""

    def get(url: str) -> Callable[[], object]:
        return lambda: squid.get(url, {"User-Agent": AGENT, "Referer": origin.url("/from")})

    at = f"origin.test:{origin.tunnel_port}"
    local = "127.0.0.1"
    requests: list[Request] = [
        (get(origin.url("/ok")), (local, "GET", "200 OK", False, None)),
        (get(origin.url("/404")), (local, "GET", "404 Not Found", False, None)),
        (get("http://www.banned.test/x"), (local, "GET", "403 TCP_DENIED", True, "policy")),
        (get(f"http://{BANNED_IP}/"), (local, "GET", "403 TCP_DENIED", True, "policy")),
        (get(origin.url("/403")), (local, "GET", "403 Forbidden", True, "origin")),
        (lambda: squid.connect(at, b"hello"), (local, "CONNECT", "200 Connection established", False, None)),
        (lambda: squid.connect("banned.test:443"), (local, "CONNECT", "403 TCP_DENIED", True, "policy")),
        (lambda: squid.connect(f"{BANNED_IP}:443"), (local, "CONNECT", "403 TCP_DENIED", True, "policy")),
        (lambda: squid.raw(b"GARBAGE\r\n", wait=0.2), (local, "GARBAGE", "400 NONE_NONE", False, None)),
        (get("http://origin.test:1/"), (local, "GET", "503 Service Unavailable", False, None)),
    ]
    if has_ipv6():
        ask = f"GET {origin.url('/ok')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        requests += [
            (lambda: squid.raw(ask, ipv6=True), ("::1", "GET", "200 OK", False, None)),
            (get(f"http://[::1]:{origin.port}/ok"), (local, "GET", "200 OK", False, None)),
        ]
    return requests


def send_all(squid: Squid, follow: Follow, requests: list[Request]) -> None:
    """Each request is stored within a second of its line."""
    for number, (send, _) in enumerate(requests, 1):
        send()
        squid.log_lines(number)
        follow.wait(lambda number=number: len(follow.destinations()) == number, seconds=1)  # type: ignore[misc]


def entries(instance: Path) -> list[Entry]:
    conn = connect(instance / "proxyweb.sqlite", readonly=True)
    try:
        found = conn.execute("SELECT client_ip, method, status, blocked, reason FROM proxy_log_entries ORDER BY id")
        return [(client, method, status, bool(blocked), reason) for client, method, status, blocked, reason in found]
    finally:
        conn.close()


@pytest.mark.parametrize("log_format", ["squid", "proxyweb"])
def test_what_squid_did_is_what_the_api_says(app: APIFlask, instance: Path, origin: Origin, log_format: str) -> None:
    settings = [LOGFORMAT] if log_format == "proxyweb" else []
    with (
        Squid(rules=WAF, settings=settings, log_format=log_format) as squid,
        Follow(instance, squid.access_log) as follow,
    ):
        follow.wait(lambda: follow.status)
        requests = everyday(squid, origin)
        attack: Entry = ("127.0.0.1", "GET", "403 TCP_DENIED", True, "waf" if log_format == "proxyweb" else "policy")
        requests.append((lambda: squid.get(origin.url("/1+UNION+SELECT")), attack))
        send_all(squid, follow, requests)
    expected = [entry for _, entry in requests]
    assert entries(instance) == expected
    admin = signed_in(app, basic("admin", ADMIN_PASSWORD))
    data = admin.get("/api/logs?sort=timestamp&order=asc&limit=1000").json["data"]
    shown = [(row["client_ip"], row["method"], row["status"], row["blocked"], row["reason"]) for row in data]
    assert sorted(shown, key=str) == sorted(expected, key=str)
    stats = admin.get("/api/logs/stats").json["data"]
    assert (stats["total_count"], stats["blocked_count"]) == (len(expected), sum(entry[3] for entry in expected))
    assert (stats["ip_blocks_count"], stats["rejected_lines"]) == (2, 0)
    if log_format == "proxyweb":
        assert {row["user_agent"] for row in data if row["destination"] == origin.url("/ok")} == {AGENT, None}
        (verdict,) = [row["waf"] for row in data if row["waf"]]
        assert verdict == {"score": 9, "categories": ["sqli"]}


def test_squid_rotates_in_the_middle_of_traffic(instance: Path, origin: Origin) -> None:
    requests = 0
    stop = threading.Event()

    def ask(number: int) -> None:
        nonlocal requests
        while not stop.is_set():
            made = squid.get(origin.url(f"/{number}/{requests}"))
            assert made.status == 200
            with counting:
                requests += 1

    counting = threading.Lock()
    with Squid() as squid, Follow(instance, squid.access_log) as follow:
        follow.wait(lambda: follow.status and follow.status.state == "following")
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                time.sleep(0.5)
                squid.rotate()
            time.sleep(0.5)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        files = list(squid.folder.glob("access.log*"))
        follow.wait(lambda: len(follow.destinations()) >= requests, seconds=5)
        lines = sorted(line.split()[6].decode() for path in files for line in path.read_bytes().splitlines())
        assert len(files) == 4
        assert len(lines) == requests > 100
        assert sorted(follow.destinations()) == lines
