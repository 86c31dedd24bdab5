"""A day of a busy proxy in minutes: `python -m tests.faults.soak_day`, a part of `make soak`.

`proxyweb serve` follows a log that is written as fast as it is read, and rotated and compressed each simulated hour.
Meanwhile people read, export and sign in, and old entries are deleted, by the retention and by the cap on the
database's size. After each hour, when all is read and nobody asks, every process is looked at. From the end of the
first hour on, none may grow by more than 10 MB, nor keep more files open; each line must have been stored once.

Ten million lines take 9 to 20 minutes on two processors; `--lines` makes it a smaller day.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from proxyweb.db.connection import connect
from proxyweb.demo.clock import completion_times
from proxyweb.demo.formats import squid
from proxyweb.demo.traffic import Traffic
from proxyweb.ingest.rotation import IDLE_SECONDS
from proxyweb.ingest.status import read_status
from proxyweb.memory import EVERY_SECONDS
from tests.bench.table import table
from tests.e2e.server import Server
from tests.faults.checking import is_web_worker, memory_kb, sound
from tests.ingest.rotating import compress, shift

LINES, HOURS, HOUR = 10_000_000, 24, 3600
BATCH_LINES = 5_000
MOST_BEHIND_BYTES = 30_000_000  # so that the disk holds it, as it would hold what is written in real time
KEPT_FILES = 4
RETENTION_DAYS, CAP_BYTES_A_LINE = 1, 15
READERS, PAUSE_SECONDS = 4, 0.2
QUESTIONS_OF_AN_HOUR, SIGN_INS_OF_AN_HOUR, ASKING_AT_ONCE = 1_600, 240, 8
QUIET_SECONDS = EVERY_SECONDS + 1  # without readers, before the processes are looked at
GROWN_KB, MORE_DESCRIPTORS = 10_000, 1
PASSWORD = "the password of the soak"
ADMIN = ("admin", PASSWORD)
READS = (
    "dashboard/summary", "logs?limit=100", "logs?blocked=true&limit=50", "logs?search=photo&since=-30h&limit=20",
    "logs/stats", "logs/timeline?hours=48", "clients/statistics?window=7d", "domains/statistics?window=7d",
    "analytics/top-domains?window=7d", "analytics/shadow-it?window=7d", "analytics/user-agents?window=7d",
    "analytics/file-extensions?window=7d", "traffic/statistics?period=week", "cache/statistics?window=7d",
    "security/score", "status", "audit-log", "settings", "waf/stats", "database/stats",
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """A process at the end of an hour: resident memory in kB, and how many files it has open."""

    name: str
    memory_kb: int
    descriptors: int


class Log:
    """What Squid would write in a day that ended half a day ago, so that the retention has something to delete."""

    def __init__(self, path: Path, first_hour: int) -> None:
        self.path = path
        self.lines = 0
        self._traffic = Traffic(7)
        self._hour = first_hour

    def write_hour(self, lines: int, status_path: Path) -> None:
        """An hour's lines, as fast as they are read."""
        times = completion_times(self._traffic.rng, self._hour * 1000, lines)
        with self.path.open("ab", buffering=0) as out:
            for first in range(0, lines, BATCH_LINES):
                batch = self._traffic.batch(times[first : first + BATCH_LINES])
                out.write("".join(f"{line}\n" for line in squid(batch)).encode("ascii"))
                while behind(status_path) > MOST_BEHIND_BYTES:
                    time.sleep(0.05)
        self.lines += lines
        self._hour += HOUR

    def rotate(self) -> None:
        """Rename, compress the one before, and delete what is oldest."""
        shift(self.path)
        before = self.path.with_name(f"{self.path.name}.2")
        if before.exists():
            compress(before)
        self.path.with_name(f"{self.path.name}.{KEPT_FILES}.gz").unlink(missing_ok=True)


class Readers:
    """People who ask, as long as the block lasts."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: Counter[tuple[int, bool]] = Counter()  # by status, and whether it says when to come again
        self._choose = random.Random(5)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Four of them, a few times a second each; and old entries are deleted once."""
        stop = threading.Event()
        threads = [threading.Thread(target=self._read, args=(stop,)) for _ in range(READERS)]
        threads.append(threading.Thread(target=self._clear_old))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def make_up_for_an_hour(self) -> None:
        """As many questions as the first hour would have seen, so that each of the server's threads has met each."""

        def ask(_: int) -> None:
            with requests.Session() as session:
                session.auth = ADMIN
                for _ in range(QUESTIONS_OF_AN_HOUR // ASKING_AT_ONCE):
                    self._ask(session)
                for _ in range(SIGN_INS_OF_AN_HOUR // ASKING_AT_ONCE):  # each thread writes by a connection of its own
                    self._ask(session, signs_in=True)

        with ThreadPoolExecutor(ASKING_AT_ONCE) as pool:
            list(pool.map(ask, range(ASKING_AT_ONCE)))

    def _read(self, stop: threading.Event) -> None:
        with requests.Session() as session:
            session.auth = ADMIN
            while not stop.wait(PAUSE_SECONDS * 2 * self._choose.random()):
                self._ask(session)

    def _ask(self, session: requests.Session, signs_in: bool = False) -> None:
        kind = self._choose.random()
        if kind < 0.03 or signs_in:
            signing_in = {"username": "admin", "password": PASSWORD}
            answer = session.post(f"{self.url}/api/auth/login", json=signing_in, timeout=60)
        elif kind < 0.06:
            answer = session.get(f"{self.url}/api/logs/export?blocked=true&format=csv", timeout=120)
        else:
            answer = session.get(f"{self.url}/api/{self._choose.choice(READS)}", timeout=60)
        self.answers[answer.status_code, "Retry-After" in answer.headers] += 1

    def _clear_old(self) -> None:
        answer = requests.post(f"{self.url}/api/logs/clear-old", auth=ADMIN, timeout=600)
        self.answers[answer.status_code, "Retry-After" in answer.headers] += 1


def behind(status_path: Path) -> int:
    status = read_status(status_path)
    return status.lag_bytes if status else 0


def stored(instance: Path) -> int:
    """How many lines were ever stored or rejected, deleted or not."""
    with closing(connect(instance / "proxyweb.sqlite", readonly=True)) as conn:
        return int(conn.execute("SELECT coalesce(sum(rows + rejected), 0) FROM sources").fetchone()[0])


def looked_at(server: Server) -> dict[int, Seen]:
    """Every process of the server's, by its number."""
    found = {}
    for pid in (server.process.pid, *sorted(server.descendants())):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"proxyweb.size_cap" in words:  # which ends when it has deleted
            continue
        name = (
            "supervisor" if pid == server.process.pid
            else "follower" if b"follow" in words
            else "worker" if is_web_worker(pid) else "master"
        )  # fmt: skip
        found[pid] = Seen(name, memory_kb(pid, "VmRSS"), len(list(Path(f"/proc/{pid}/fd").iterdir())))
    return found


def run_day(folder: Path, lines: int) -> list[str]:
    """The whole day; prints how it goes, and gives what is wrong, a sentence each."""
    instance, log = folder / "instance", Log(folder / "access.log", int(time.time()) // HOUR * HOUR - 36 * HOUR)
    cap_mb = max(lines * CAP_BYTES_A_LINE // 1_000_000, 10)
    log.path.touch()
    server = Server(
        instance, ACCESS_LOG=str(log.path), ADMIN_PASSWORD=PASSWORD, LOG_LEVEL="warning", EXPORTS_PER_MINUTE="1000"
    )
    try:
        while not server.healthy():
            time.sleep(0.2)
        for name, value in (("log_retention_days", RETENTION_DAYS), ("max_database_mb", cap_mb)):
            url = f"{server.url}/api/settings/{name}"
            requests.put(url, json={"value": value}, auth=ADMIN, timeout=30).raise_for_status()
        readers, seen, begun = Readers(server.url), [], time.monotonic()
        for hour in range(1, HOURS + 1):
            with readers.asking():
                log.write_hour(lines * hour // HOURS - log.lines, instance / "follower.json")
                deadline = time.monotonic() + 300
                while stored(instance) < log.lines and time.monotonic() < deadline:
                    time.sleep(0.1)
                if hour == 1:
                    readers.make_up_for_an_hour()
                log.rotate()
            time.sleep(QUIET_SECONDS)
            seen.append(looked_at(server))
            size = (instance / "proxyweb.sqlite").stat().st_size / 1e6
            print(f"hour {hour:2}: {log.lines:10,} lines, {time.monotonic() - begun:5.0f} s,"
                  f" database {size:.0f} MB, {said(seen[-1])}", flush=True)  # fmt: skip
        answered = dict(readers.answers)
        time.sleep(
            IDLE_SECONDS + QUIET_SECONDS
        )  # until renamed files are let go, which an hour would have been enough for
        seen.append(looked_at(server))
        print(f"a minute later: {said(seen[-1])}", flush=True)
    finally:
        words = server.stop()
    print(f"\n{shown(seen)}\n\nanswers by status: {answered}", flush=True)
    wrong = [*grown(seen)]
    if stored(instance) != log.lines:
        wrong.append(f"{stored(instance):,} lines were stored of {log.lines:,}")
    if failures := {answer: count for answer, count in answered.items() if answer[0] >= 500 and answer != (503, True)}:
        wrong.append(f"answered with {failures}: {words[-2000:]}")
    sound(instance)
    return wrong


def said(processes: dict[int, Seen]) -> str:
    return ", ".join(f"{it.name} {it.memory_kb / 1000:.1f} MB {it.descriptors} fd" for it in processes.values())


def shown(seen: list[dict[int, Seen]]) -> str:
    """Megabytes of every process at the end of some of the hours, and how many files it had open first and last."""
    hours = (1, 2, 6, 12, 18, HOURS)
    rows = [
        [it.name, *(f"{seen[hour - 1][pid].memory_kb / 1000:.1f}" for hour in (*hours, HOURS + 1)),
         f"{(max(processes[pid].memory_kb for processes in seen[1:]) - it.memory_kb) / 1000:+.1f}",
         f"{it.descriptors}", f"{seen[-1][pid].descriptors}"]
        for pid, it in seen[0].items() if all(pid in processes for processes in seen)
    ]  # fmt: skip
    return table(
        ["resident MB", *(f"hour {hour}" for hour in hours), "a minute later", "grown at most", "files first", "last"],
        rows,
    )


def grown(seen: list[dict[int, Seen]]) -> Iterator[str]:
    """What grew since the end of the first hour, at the end of any other."""
    for pid, first in seen[0].items():
        later = [processes[pid] for processes in seen[1:] if pid in processes]
        if len(later) < len(seen) - 1:
            yield f"the {first.name} {pid} has ended"
            continue
        grown_kb = max(it.memory_kb for it in later) - first.memory_kb
        if grown_kb > GROWN_KB:
            yield f"the {first.name} had grown by {grown_kb / 1000:.1f} MB at the end of an hour"
        if later[-1].descriptors - first.descriptors > MORE_DESCRIPTORS:
            yield f"the {first.name} had {first.descriptors} files open, and has {later[-1].descriptors}"


def main() -> None:
    """Run it, and exit with 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak_day", description=__doc__)
    parser.add_argument("--lines", type=int, default=LINES)
    with tempfile.TemporaryDirectory(prefix="proxyweb-soak-") as folder:
        wrong = run_day(Path(folder), parser.parse_args().lines)
    for sentence in wrong:
        print(f"WRONG {sentence}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
