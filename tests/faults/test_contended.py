"""Several at once: importers beside the follower, a lock that somebody keeps, clearing all the time, many clients."""

from __future__ import annotations

import random
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


def test_many_clients_while_the_log_grows(instance: Path, writer: Writer) -> None:
    """Reading, writing, exporting and signing in: 503 at worst, and then with the time after which to come again."""
    follow, choose = Follow(instance, writer.path), random.Random(2)
    answers: Counter[tuple[int, bool]] = Counter()
    seconds: list[float] = []
    end = 0.0

    def ask(url: str, kind: float) -> None:
        with requests.Session() as session:
            session.auth = ADMIN
            while time.monotonic() < end:
                begun = time.monotonic()
                if kind < 0.1:
                    answer = session.post(
                        f"{url}/api/auth/login", json={"username": "admin", "password": ADMIN_PASSWORD}, timeout=60
                    )
                elif kind < 0.2:
                    answer = session.get(f"{url}/api/logs/export?format=ndjson", timeout=60)
                elif kind < 0.3:
                    answer = session.put(f"{url}/api/settings/log_retention_days", json={"value": 50}, timeout=60)
                else:
                    answer = session.get(f"{url}/api/{choose.choice(['logs', 'logs/stats', 'status'])}", timeout=60)
                seconds.append(time.monotonic() - begun)
                answers[answer.status_code, "Retry-After" in answer.headers] += 1

    with serving(instance, ACCESS_LOG=str(writer.path), EXPORTS_PER_MINUTE="1000") as server, writing(writer, 1000):
        end = time.monotonic() + (60 if SOAK else 4)
        threads = [
            threading.Thread(target=ask, args=(server.url, number / 64)) for number in range(0, 64, 1 if SOAK else 4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        status = follow.status
    with follow:
        exact(follow, writer)
    assert not {code for code, again in answers if code >= 500 and not (code == 503 and again)}, answers
    assert answers[200, False] > 10
    p99 = sorted(seconds)[len(seconds) * 99 // 100]
    assert status
    print(f"{len(seconds)} answers {dict(answers)}, p99 {p99:.2f} s, {status.lag_seconds} s behind the log")
