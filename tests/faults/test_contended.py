"""Several at once: importers beside the follower, a lock that somebody keeps, clearing all the time, many clients."""

from __future__ import annotations

import http.client
import json
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import requests

from proxyweb.db.connection import connect
from proxyweb.retention import clear_all
from tests.clients import basic
from tests.conftest import ADMIN_PASSWORD
from tests.e2e.program import Follow, environment
from tests.faults.checking import SOAK, exact, sound, times, writing
from tests.faults.test_killed import serving
from tests.ingest.following import Writer

ADMIN = ("admin", ADMIN_PASSWORD)


def test_two_importers_beside_the_follower(follow: Follow, writer: Writer) -> None:
    words = [sys.executable, "-m", "proxyweb", "import", str(writer.path)]
    with writing(writer, 3000):
        for _ in range(times(1, 10)):
            both = [
                subprocess.Popen(words, env=environment(follow.instance, writer.path), stdout=subprocess.DEVNULL)
                for _ in range(2)
            ]
            assert [process.wait(60) for process in both] == [0, 0]
    exact(follow, writer)


def test_somebody_keeps_the_database_locked(instance: Path, writer: Writer) -> None:
    """Reading goes on; whoever wants to write is told to come again, and the follower catches up."""
    follow = Follow(instance, writer.path)
    with serving(instance, ACCESS_LOG=str(writer.path)) as server:
        follow.wait(lambda: follow.count() == 1, 30)
        with closing(connect(instance / "proxyweb.sqlite")) as conn, writing(writer, 1000):
            conn.execute("BEGIN EXCLUSIVE")
            begun = time.monotonic()
            change = {"url": f"{server.url}/api/settings/log_retention_days", "json": {"value": 44}, "auth": ADMIN}
            refused = requests.put(**change, timeout=30)  # type: ignore[arg-type]
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
            assert requests.get(f"{server.url}/api/logs", auth=ADMIN, timeout=30).status_code == 200
            follow.wait(lambda: follow.status and follow.status.state == "error")
            time.sleep(max(5 - (time.monotonic() - begun), 0))
            status = follow.status
            assert status
            assert status.alive(time.time() - 12), "it goes on telling"
            assert status.lag_bytes > 0
            conn.execute("ROLLBACK")
            follow.wait(lambda: follow.status and follow.status.state == "following")
            assert requests.put(**change, timeout=30).status_code == 200  # type: ignore[arg-type]
        exact(follow, writer)
        assert server.healthy()


def test_cleared_all_the_time(follow: Follow, writer: Writer) -> None:
    """What was cleared does not come back, and what came later is all there."""
    deleted = 0
    with closing(connect(follow.instance / "proxyweb.sqlite")) as conn, writing(writer, 2000):
        for _ in range(times(30)):
            deleted += clear_all(conn)
            time.sleep(0.05)
    follow.wait(lambda: deleted + follow.count() >= writer.lines, 60)
    assert follow.numbers() == list(range(deleted, writer.lines))
    writer.write(1)
    follow.wait(lambda: deleted + follow.count() == writer.lines)
    sound(follow.instance)


def test_cleared_through_the_server(instance: Path, writer: Writer) -> None:
    follow = Follow(instance, writer.path)
    with serving(instance, ACCESS_LOG=str(writer.path)) as server:
        deleted = 0
        with writing(writer, 2000), requests.Session() as client:
            for _ in range(times(10)):
                answer = client.post(f"{server.url}/api/logs/clear", auth=ADMIN, timeout=30)
                assert answer.status_code == 200, answer.text
                deleted += answer.json()["deleted"]
                time.sleep(0.05)
        follow.wait(lambda: deleted + follow.count() >= writer.lines, 60)
        assert follow.numbers() == list(range(deleted, writer.lines))
        sound(instance)


def test_many_clients_while_the_log_grows(instance: Path, writer: Writer) -> None:
    """Reading, writing, exporting and signing in: 503 at worst, and then with the time after which to come again."""
    follow = Follow(instance, writer.path)
    with serving(instance, ACCESS_LOG=str(writer.path), EXPORTS_PER_MINUTE="1000") as server, writing(writer, 1000):
        crowd = Crowd(server.port)
        crowd.ask_for(60 if SOAK else 4, clients=64 if SOAK else 16)
        status = follow.status
    with follow:
        exact(follow, writer)
    assert status
    print(f"{crowd.told()}, the follower {status.lag_seconds} s behind the log")
    assert crowd.failures() == {}
    assert len(crowd.seconds["read"]) > 10
    if SOAK:
        assert crowd.p99("read") < READ_SECONDS
        assert status.lag_seconds < 5


READ_SECONDS = 0.25
READS = (
    "logs",
    "logs/stats",
    "status",
    "logs/timeline",
    "dashboard/summary",
    "clients/statistics",
    "logs?blocked=true",
)
JSON = {"Content-Type": "application/json"}
AUTHORIZED = {"Authorization": basic(*ADMIN)}


class Crowd:
    """Clients that ask again as soon as they are answered; of ten, one signs in, exports, or changes a setting.

    They take as little of the processor as clients in Python can, since the server is on the same machine.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: Counter[tuple[str, int, bool]] = Counter()  # the last says whether there is a Retry-After
        self.seconds: dict[str, list[float]] = {"read": [], "write": [], "export": [], "login": []}

    def ask_for(self, seconds: float, clients: int) -> None:
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self._ask, args=(number, end)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def failures(self) -> dict[tuple[str, int, bool], int]:
        """What should not have been answered."""
        return {
            (kind, status, again): count for (kind, status, again), count in self.answers.items()
            if status != 200 and (status, again) != (503, True)
        }  # fmt: skip

    def p99(self, kind: str) -> float:
        return sorted(self.seconds[kind])[len(self.seconds[kind]) * 99 // 100]

    def told(self) -> str:
        each = (
            f"{len(seconds)} {kind}s, half in {statistics.median(seconds):.3f} s, 99 % in {self.p99(kind):.3f} s"
            for kind, seconds in self.seconds.items() if seconds
        )  # fmt: skip
        refused = sum(count for (_, status, _), count in self.answers.items() if status == 503)
        return f"{'; '.join(each)}; {refused} times 503"

    def _ask(self, number: int, end: float) -> None:
        choose = random.Random(number)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while time.monotonic() < end:
            kind = choose.choices(("read", "write", "export", "login"), (70, 10, 10, 10))[0]
            begun = time.monotonic()
            match kind:
                case "login":
                    body = json.dumps({"username": "admin", "password": ADMIN_PASSWORD})
                    connection.request("POST", "/api/auth/login", body, JSON)
                case "export":
                    connection.request("GET", "/api/logs/export?format=ndjson", headers=AUTHORIZED)
                case "write":
                    connection.request("PUT", "/api/settings/log_retention_days", '{"value": 50}', JSON | AUTHORIZED)
                case _:
                    connection.request("GET", f"/api/{choose.choice(READS)}", headers=AUTHORIZED)
            answer = connection.getresponse()
            while answer.read(1 << 16):
                pass
            self.seconds[kind].append(time.monotonic() - begun)
            self.answers[kind, answer.status, answer.getheader("Retry-After") is not None] += 1
        connection.close()
