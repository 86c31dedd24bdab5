"""/metrics: who may read it, that Prometheus can, and that it tells what is so."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from prometheus_client.metrics_core import Metric

from proxyweb import __version__
from proxyweb.api.prometheus import gauge, text
from proxyweb.db import damage
from proxyweb.db.migrations import known_versions
from proxyweb.ingest.record import WafVerdict
from tests.api.exposition import read, value
from tests.clients import Client, anonymous
from tests.conftest import START, Clock
from tests.dashboard.signing_in import session
from tests.ingest.factory import Request, log
from tests.ingest.importing import import_log

LOG = "/var/log/squid/access.log"
DAY_MS = 86_400_000
MIDNIGHT_MS = int(START * 1000) // DAY_MS * DAY_MS
DENIED: dict[str, Any] = {"result_code": "TCP_DENIED", "status": 403, "hierarchy": "HIER_NONE", "peer": "",
                          "origin_status": 0}  # fmt: skip
CANARIES = ("198.51.100.77", "canary.test", "canary-agent", "canary-user")


def scraped(client: Client, **options: Any) -> dict[str, Metric]:
    answer = client.get("/metrics", **options)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return read(answer.get_data(as_text=True))


def stored(instance: Path, *requests: Request, rest: str = "") -> None:
    import_log(instance, log(*requests, log_format="proxyweb") + rest.encode(), "stored.log")


def at(milliseconds: int, **fields: Any) -> Request:
    return Request(time_ms=MIDNIGHT_MS + milliseconds, **fields)


def heartbeat(instance: Path, **changes: Any) -> None:
    said = {"pid": 1, "time": START, "state": "following", "error": None, "file": LOG,
            "lag_bytes": 10, "lag_seconds": 0.5, "lines_per_second": 123.4, **changes}  # fmt: skip
    (instance / "follower.json").write_text(json.dumps(said))


def test_who_may(app: APIFlask, client: Client, viewer: Client, admin: Client) -> None:
    for method in ("GET", "HEAD", "POST", "BREW"):
        assert client.open("/metrics", method=method).status_code == 401
    assert [who.get("/metrics").status_code for who in (viewer, admin, session(app))] == [200] * 3
    assert viewer.get("/metrics?x=1").status_code == 400
    assert viewer.post("/metrics").status_code == 405
    assert viewer.get("/metrics").headers["Cache-Control"] == "no-store"
    assert viewer.get("/metrics/").status_code == 404


def test_requests_are_counted_by_route_method_and_class_of_status(viewer: Client, client: Client) -> None:
    for _ in range(3):
        assert viewer.get("/api/clients/192.0.2.1/details", buffered=True).status_code == 404
    etag = viewer.get("/api/settings", buffered=True).headers["ETag"]
    assert viewer.get("/api/settings", headers={"If-None-Match": etag}, buffered=True).status_code == 304
    assert viewer.post("/api/logs/clear", buffered=True).status_code == 403
    assert client.open("/api/status", method="BREW", buffered=True).status_code == 401
    assert client.get("/canary.test/secret", buffered=True).status_code == 404
    assert client.get("/static/docs.css", buffered=True).status_code == 200
    metrics = scraped(viewer, buffered=True)
    for route, method, status, number in (
        ("/api/clients/<ip>/details", "GET", "4xx", 3),
        ("/api/settings", "GET", "2xx", 1),
        ("/api/settings", "GET", "3xx", 1),
        ("/api/logs/clear", "POST", "4xx", 1),
        ("/static/<path:filename>", "GET", "2xx", 1),
        ("unmatched", "other", "4xx", 1),
        ("unmatched", "GET", "4xx", 1),
    ):
        labels = {"route": route, "method": method, "status": status}
        assert value(metrics, "proxyweb_http_requests_total", **labels) == number
        assert value(metrics, "proxyweb_http_request_duration_seconds_count", **labels) == number
        assert 0 < value(metrics, "proxyweb_http_request_duration_seconds_sum", **labels) < 5
    assert value(scraped(viewer), "proxyweb_http_requests_total", route="/metrics") == 1


def test_what_is_sent_for_long_is_seen_to_take_long(viewer: Client, instance: Path, clock: Clock) -> None:
    stored(instance, at(0))
    labels = {"route": "/api/logs/export", "method": "GET", "status": "2xx"}
    with viewer.get("/api/logs/export?format=csv", buffered=False) as answer:
        assert answer.status_code == 200
        assert "proxyweb_http_requests_total" not in scraped(viewer), "it is still being sent"
    assert value(scraped(viewer), "proxyweb_http_requests_total", **labels) == 1


def test_the_log_and_the_database(viewer: Client, instance: Path) -> None:
    stored(
        instance,
        at(-1, url="http://yesterday.test/", waf=WafVerdict(9, "XSS_ATTACKS", "1")),
        at(0, url="http://a.test/", waf=WafVerdict(9, "XSS_ATTACKS,SQL_INJECTION", "1,2")),
        at(5000, url="http://a.test/", waf=WafVerdict(20, "SQL_INJECTION", "2"), **DENIED),
        at(6000, url="http://a.test/", waf=WafVerdict(20, 'made"up\\category', "2")),
        at(7000, url="http://a.test/", **DENIED),
        rest="no line of a log\n\n",
    )
    metrics = scraped(viewer)
    for name, expected in {
        "proxyweb_log_entries_stored_total": 5,
        "proxyweb_log_entries": 5,
        "proxyweb_log_oldest_timestamp_seconds": (MIDNIGHT_MS - 1) / 1000,
        "proxyweb_log_newest_timestamp_seconds": (MIDNIGHT_MS + 7000) / 1000,
        "proxyweb_database_up": 1,
        "proxyweb_database_damaged": 0,
        "proxyweb_healthy": 1,
        "proxyweb_audit_entries_total": 0,
    }.items():
        assert value(metrics, name) == expected, name
    assert value(metrics, "proxyweb_build_info", version=__version__) == 1
    assert value(metrics, "proxyweb_database_schema_info", version=known_versions()[-1]) == 1
    assert value(metrics, "proxyweb_database_size_bytes") % 4096 == 0
    assert value(metrics, "proxyweb_disk_free_bytes") > 0
    rejected = metrics["proxyweb_log_lines_rejected"].samples
    assert {sample.labels["reason"]: sample.value for sample in rejected}["blank"] == 1
    assert sum(sample.value for sample in rejected) == 2
    outcomes = {s.labels["outcome"]: s.value for s in metrics["proxyweb_proxy_requests"].samples}
    assert outcomes == {"passed": 2, "policy": 1, "waf": 1, "origin": 0, "terminated": 0, "auth": 0}
    verdicts = {
        (s.labels["category"], s.labels["outcome"]): s.value
        for s in metrics["proxyweb_waf_verdicts"].samples if s.value
    }  # fmt: skip
    assert verdicts == {("XSS_ATTACKS", "passed"): 1, ("SQL_INJECTION", "passed"): 1, ("SQL_INJECTION", "blocked"): 1,
                        ("other", "passed"): 1}  # fmt: skip


def test_what_was_stored_goes_on_growing_when_the_log_is_cleared(admin: Client, instance: Path) -> None:
    stored(instance, at(0), at(1))
    assert admin.post("/api/logs/clear").status_code == 200
    metrics = scraped(admin)
    assert value(metrics, "proxyweb_log_entries_stored_total") == 2
    assert value(metrics, "proxyweb_log_entries") == 0
    assert value(metrics, "proxyweb_audit_entries_total") == 1
    assert "proxyweb_log_newest_timestamp_seconds" not in metrics


def test_nobody_is_named(viewer: Client, client: Client, instance: Path) -> None:
    address, host, agent, user = CANARIES
    stored(instance, at(0, client=address, url=f"http://{host}/{host}", user_agent=agent, user=user,
                        waf=WafVerdict(20, host, host), **DENIED), rest=f"{address} {user}\n")  # fmt: skip
    client.get(f"/{host}?{user}", headers={"X-Request-ID": agent}, environ_base={"REMOTE_ADDR": address})
    viewer.get(f"/api/clients/{address}/details")
    viewer.open("/api/status", method=user)
    said = viewer.get("/metrics").get_data(as_text=True)
    assert not [canary for canary in CANARIES if canary in said]
    assert str(instance) not in said


def test_the_follower(make_app: Callable[..., APIFlask], viewer: Client, instance: Path, clock: Clock) -> None:
    assert "proxyweb_follower_up" not in scraped(viewer), "none is wanted"
    follows = session(make_app(ACCESS_LOG=LOG))
    assert value(scraped(follows), "proxyweb_follower_up") == 0

    def states() -> list[str]:
        return [s.labels["state"] for s in scraped(follows)["proxyweb_follower_state"].samples if s.value]

    heartbeat(instance)
    metrics = scraped(follows)
    for name, expected in {
        "follower_up": 1, "ingest_lag_bytes": 10, "ingest_lag_seconds": 0.5, "ingest_lines_per_second": 123.4,
        "follower_heartbeat_timestamp_seconds": START, "database_full": 0, "healthy": 1,
    }.items():  # fmt: skip
        assert value(metrics, f"proxyweb_{name}") == expected, name
    assert states() == ["following"]
    heartbeat(instance, state="error", error="The database can't grow: the disk is full.", full=True)
    assert states() == ["error"]
    assert value(scraped(follows), "proxyweb_database_full") == 1
    assert value(scraped(follows), "proxyweb_healthy") == 0
    clock.now += 16
    metrics = scraped(follows)
    assert (value(metrics, "proxyweb_follower_up"), value(metrics, "proxyweb_database_full")) == (0, 0)
    assert states() == []


@contextmanager
def arriving() -> Iterator[tuple[int, socket.socket]]:
    """A port, and a connection that came in there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), server.accept()[0] as connection:
            yield port, connection


def test_at_an_address_of_its_own_there_is_nothing_else(make_app: Callable[..., APIFlask]) -> None:
    with arriving() as (port, connection), arriving() as (_, elsewhere):
        app = make_app(METRICS_BIND=str(port))
        client = anonymous(app)
        here, there = ({"environ_base": {"gunicorn.socket": socket}} for socket in (connection, elsewhere))
        assert value(scraped(client, **here), "proxyweb_healthy") == 1
        assert client.get("/metrics?x=1", **here).status_code == 400
        for path in ("/", "/api/health", "/api/status", "/api/auth/login", "/sign-in", "/static/docs.css", "/metrics/"):
            assert client.get(path, **here).status_code == 404, path
            assert client.post(path, **here).status_code == 404, path
        assert client.get("/metrics", **there).status_code == 401
        spoofed = {"Host": f"127.0.0.1:{port}", "X-Forwarded-Port": str(port)}
        assert client.get("/metrics", headers=spoofed, **there).status_code == 401
        assert client.get("/metrics", headers=spoofed).status_code == 401


@pytest.mark.parametrize("trouble", ["gone", "damaged"])
def test_a_database_in_trouble_is_told_of(make_app: Callable[..., APIFlask], instance: Path, trouble: str) -> None:
    database = instance / "proxyweb.sqlite"
    with arriving() as (port, connection):
        client = anonymous(make_app(METRICS_BIND=str(port)))
        if trouble == "gone":
            database.unlink()
        else:
            damage.mark(database)
        metrics = scraped(client, environ_base={"gunicorn.socket": connection})
        assert value(metrics, "proxyweb_healthy") == 0
        assert value(metrics, "proxyweb_database_damaged") == (trouble == "damaged")
        assert value(metrics, "proxyweb_database_up") == (trouble == "damaged"), "what is damaged may still be read"
        assert ("proxyweb_log_entries" in metrics) == (trouble == "damaged")


def test_text_of_any_kind_is_read_back() -> None:
    odd = 'a "b" \\n c\\ \n d'
    metrics = read(text([gauge("proxyweb_odd", "It is\nodd \\.", 1.5, label=odd), gauge("proxyweb_none", "No.", None)]))
    assert value(metrics, "proxyweb_odd", label=odd) == 1.5
    assert metrics.keys() == {"proxyweb_odd"}
