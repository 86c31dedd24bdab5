"""What a monitoring system sees of `proxyweb serve`: its metrics, and its log as JSON."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.metrics_core import Metric

from tests.api.exposition import read, value
from tests.clients import basic
from tests.e2e.server import Server, free_port
from tests.ingest.factory import log, traffic
from tests.test_supervisor import running, wait_for

PATIENCE = 30.0  # seconds, on a busy machine
PASSWORD = "a password for the tests"
ADMIN = ("admin", PASSWORD)


class Observed:
    """A server with a follower, metrics on a port of their own, and a log of JSON."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "access.log"
        self.log.write_bytes(log(*traffic(50)))
        self.metrics_port = free_port()
        self.server = Server(
            folder / "instance", ADMIN_PASSWORD=PASSWORD, ACCESS_LOG=str(self.log), LOG_FORMAT="json",
            METRICS_BIND=str(self.metrics_port), TRUSTED_PROXIES="127.0.0.1",
        )  # fmt: skip

    def metrics(self) -> dict[str, Metric]:
        answer = requests.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=30)
        assert answer.status_code == 200
        return read(answer.text)

    def answered(self, route: str) -> float:
        """How many requests for this route were answered."""
        found = self.metrics().get("proxyweb_http_requests")
        samples = found.samples if found else []
        return sum(sample.value for sample in samples if sample.labels["route"] == route)

    def refused(self) -> float:
        """How many requests for the settings were refused."""
        return self.answered("/api/settings")

    def counted(self, times: int) -> bool:
        """Be refused that often, each on a connection of its own, so that both workers answer; whether each of them is
        counted, once. That is a moment after the answer."""
        before = self.refused()
        for _ in range(times):
            assert requests.get(f"{self.server.url}/api/settings", timeout=30).status_code == 401
        wait_for(lambda: self.refused() >= before + times, PATIENCE)
        return self.refused() == before + times

    def has_other_workers_than(self, workers: list[int]) -> bool:
        now = self.server.descendants()
        return len(now) == 4 and not set(workers) & set(now) and self.server.healthy()


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    observed = Observed(tmp_path_factory.mktemp("observed"))
    wait_for(observed.server.healthy, PATIENCE)
    wait_for(lambda: len(observed.server.descendants()) == 4, PATIENCE)
    yield observed
    observed.server.stop()


def test_what_is_no_request_is_counted(observed: Observed) -> None:
    before = observed.answered("unmatched")
    assert requests.get(f"{observed.server.url}/{'x' * 10_000}", timeout=30).status_code == 414
    with socket.create_connection(("127.0.0.1", observed.server.port)) as connection:
        connection.sendall(b"what is this?\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    assert observed.answered("unmatched") == before + 2


def test_requests_are_counted_whichever_worker_answers_and_dies(observed: Observed) -> None:
    server = observed.server
    assert observed.counted(40)
    assert {observed.refused() for _ in range(10)} == {40}, "every worker tells the same"

    gunicorn, follower, *workers = server.descendants()
    assert b"follow" in Path(f"/proc/{follower}/cmdline").read_bytes()
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    wait_for(lambda: observed.has_other_workers_than(workers), PATIENCE)
    assert observed.counted(20)

    workers = server.descendants()[2:]
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: observed.has_other_workers_than(workers), PATIENCE)
    assert observed.counted(20)

    workers = server.descendants()[2:]
    os.kill(gunicorn, signal.SIGKILL)
    wait_for(lambda: not any(running(pid) for pid in workers), PATIENCE)
    wait_for(lambda: observed.has_other_workers_than(workers), PATIENCE)
    assert observed.counted(20)


def test_there_is_nothing_else_at_the_address_for_metrics(observed: Observed) -> None:
    own = f"http://127.0.0.1:{observed.metrics_port}"
    for path in ("/", "/api/health", "/api/settings", "/sign-in", "/static/docs.css"):
        assert requests.get(own + path, auth=ADMIN, timeout=30).status_code == 404, path
    assert requests.post(f"{own}/api/logs/clear", auth=ADMIN, timeout=30).status_code == 404
    url = f"{observed.server.url}/metrics"
    assert requests.get(url, timeout=30).status_code == 401
    assert requests.get(url, headers={"Host": f"127.0.0.1:{observed.metrics_port}"}, timeout=30).status_code == 401
    assert requests.get(url, auth=ADMIN, timeout=30).status_code == 200


def test_the_follower_and_the_log_are_told_of(observed: Observed) -> None:
    wait_for(lambda: value(observed.metrics(), "proxyweb_log_entries_stored_total") == 50, PATIENCE)
    metrics = observed.metrics()
    assert value(metrics, "proxyweb_follower_up") == 1
    assert value(metrics, "proxyweb_follower_state", state="following") == 1
    assert value(metrics, "proxyweb_ingest_lag_bytes") == 0
    assert value(metrics, "proxyweb_healthy") == 1


def test_every_line_of_the_log_is_json(observed: Observed) -> None:
    """The last one here: it ends the server."""
    url, ours = observed.server.url, {"X-Request-ID": "an-id.of_the-proxy1"}
    forwarded = {**ours, "X-Forwarded-For": "203.0.113.9"}
    answer = requests.get(f"{url}/api/logs?search=secret-words&limit=1", auth=ADMIN, headers=forwarded, timeout=30)
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (200, ours["X-Request-ID"])
    made = []
    for insane in ("", "short", "x" * 65, 'a"b{}c,dddd', "æøåæøåæøå".encode().decode("latin-1"), "a b c d e f g h"):
        answer = requests.get(f"{url}/api/clients/192.0.2.77/details", auth=ADMIN, headers={"X-Request-ID": insane},
                              timeout=30)  # fmt: skip
        made.append(answer.headers["X-Request-ID"])
        assert re.fullmatch(r"[0-9a-f]{16}", made[-1])
    assert len(set(made)) == len(made)
    evil = basic('x"}\r\n{"forged\x1b[31m\u2028', "secret-words")
    assert requests.get(f"{url}/api/status", headers={"Authorization": evil}, timeout=30).status_code == 401
    assert requests.get(f"{url}/api/health", timeout=30).status_code == 200

    lines = observed.server.stop().splitlines()
    said: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", each["time"]) for each in said)
    assert all({"level", "logger", "message"} <= each.keys() for each in said)
    assert {each["logger"] for each in said} >= {
        "proxyweb.start", "proxyweb.supervisor", "proxyweb.requests", "proxyweb.follower", "proxyweb.accounts",
        "gunicorn.error",
    }  # fmt: skip
    assert not [line for line in lines if "secret-words" in line or "192.0.2.77" in line]

    asked = {each["request_id"]: each for each in said if each["logger"] == "proxyweb.requests"}
    whole = dict(asked[ours["X-Request-ID"]])
    assert 0 < whole.pop("duration_ms") < 5000
    assert whole.items() >= {
        "level": "info", "method": "GET", "route": "/api/logs", "status": 200, "user": "admin", "client": "203.0.113.9",
    }.items()  # fmt: skip
    assert [asked[each]["route"] for each in made] == ["/api/clients/<ip>/details"] * len(made)
    (failed,) = [each for each in said if each["logger"] == "proxyweb.accounts"]
    assert "forged" in failed["message"]
    refused = asked[failed["request_id"]]
    assert (refused["status"], refused["user"], refused["route"]) == (401, None, "/api/status")
    (health,) = [each for each in asked.values() if each["route"] == "/api/health"][-1:]
    assert health["user"] is None
