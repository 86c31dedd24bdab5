"""Health and status, with the follower alive, gone, and never there."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apiflask import APIFlask

from proxyweb import __version__
from tests.clients import Client, anonymous, basic, signed_in
from tests.conftest import START, VIEWER_PASSWORD, Clock

LOG = "/var/log/squid/access.log"


def heartbeat(instance: Path, **changes: Any) -> None:
    said = {"pid": 1, "time": START, "state": "following", "error": None, "file": LOG,
            "lag_bytes": 10, "lag_seconds": 0.5, "lines_per_second": 123.4, **changes}  # fmt: skip
    (instance / "follower.json").write_text(json.dumps(said))


def test_healthy_for_everybody(client: Client) -> None:
    answer = client.get("/api/health")
    assert (answer.status_code, answer.json) == (200, {"status": "healthy", "version": __version__})
    assert client.get("/api/health?x=1").status_code == 400
    assert client.get("/api/health?_=1").status_code == 200


def test_unhealthy_without_its_database(client: Client, instance: Path) -> None:
    assert client.get("/api/health").status_code == 200
    (instance / "proxyweb.sqlite").unlink()
    answer = client.get("/api/health")
    assert (answer.status_code, answer.json["status"]) == (503, "unhealthy")
    assert str(instance) not in answer.get_data(as_text=True)


def test_unhealthy_with_a_file_that_is_no_database(make_app: Callable[..., APIFlask], instance: Path) -> None:
    for name in ("proxyweb.sqlite-wal", "proxyweb.sqlite-shm"):
        (instance / name).unlink(missing_ok=True)
    (instance / "proxyweb.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 100)
    answer = anonymous(make_app()).get("/api/health")
    assert (answer.status_code, answer.json["status"]) == (503, "unhealthy")


def test_unhealthy_when_a_log_is_not_followed(make_app: Callable[..., APIFlask], instance: Path, clock: Clock) -> None:
    client = anonymous(make_app(ACCESS_LOG=LOG))
    assert client.get("/api/health").status_code == 503
    heartbeat(instance)
    clock.now += 15
    assert client.get("/api/health").status_code == 200
    clock.now += 1
    assert client.get("/api/health").json["status"] == "unhealthy"
    (instance / "follower.json").write_text("{")
    assert client.get("/api/health").status_code == 503


def test_unhealthy_when_the_follower_can_not_go_on(make_app: Callable[..., APIFlask], instance: Path) -> None:
    client = anonymous(make_app(ACCESS_LOG=LOG))
    heartbeat(instance, state="error", error="/var/log/squid/access.log can't be read: Permission denied.")
    answer = client.get("/api/health")
    assert (answer.status_code, answer.json["status"]) == (503, "unhealthy")
    assert "/var/log" not in answer.json["detail"]


def test_status(make_app: Callable[..., APIFlask], instance: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        port = proxy.getsockname()[1]
        app = make_app(ACCESS_LOG=LOG, PROXY_PORT=str(port))
        with app.extensions["proxyweb"].database.write() as conn:
            row = ", ".join(["1"] * 17)
            conn.execute(f"INSERT INTO hourly_requests VALUES ({row})")
        heartbeat(instance)
        assert signed_in(app, basic("viewer", VIEWER_PASSWORD)).get("/api/status").json["data"] == {
            "proxy_status": "running",
            "proxy_host": "127.0.0.1",
            "proxy_port": port,
            "version": __version__,
            "requests_count": 1,
            "ingest": {"file": LOG, "lag_bytes": 10, "lag_seconds": 0.5, "lines_per_second": 123.4},
        }


def test_status_of_the_proxy_is_remembered_for_a_moment(make_app: Callable[..., APIFlask], clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        app = make_app(PROXY_PORT=str(proxy.getsockname()[1]))
        viewer = signed_in(app, basic("viewer", VIEWER_PASSWORD))
        assert viewer.get("/api/status").json["data"]["proxy_status"] == "running"
    assert viewer.get("/api/status").json["data"]["proxy_status"] == "running"
    clock.now += 5
    data = viewer.get("/api/status").json["data"]
    assert data["proxy_status"] == "stopped"
    assert data["ingest"] == {"file": None, "lag_bytes": 0, "lag_seconds": 0, "lines_per_second": 0}
