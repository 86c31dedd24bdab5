"""A log large enough for two full segments of ids and an open one, its times in disorder."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from proxyweb.db.connection import connect
from proxyweb.db.migrate import migrate
from proxyweb.ingest.importer import Importer

ROWS = 150_000
START = 1_770_000_000


@pytest.fixture(scope="session")
def large_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of 150,000 rows over twelve days, imported as two files, the later days first."""
    folder = tmp_path_factory.mktemp("large")
    database = folder / "proxyweb.sqlite"
    migrate(database)
    lines = list(_lines(random.Random(5)))
    half = len(lines) // 2
    with closing(connect(database)) as conn:
        for name, part in (("later", lines[half:]), ("earlier", lines[:half])):
            log = folder / f"{name}.log"
            log.write_text("".join(part))
            Importer(conn).import_file(log)
    return database


def _lines(choose: random.Random) -> Iterator[str]:
    hosts = [f"{choose.choice(['www', 'cdn', 'a-b', 'x'])}.site{number}.{choose.choice(['test', 'example', 'co.uk'])}"
             for number in range(300)]  # fmt: skip
    hosts += ["192.0.2.7", "[2001:db8::7]", "a.com", "a.com.au", "a.com-x.test"]
    weights = [1 / (place + 1) for place in range(len(hosts))]
    clients = [f"10.0.{number // 50}.{number % 50 + 1}" for number in range(200)] + ["2001:db8:1::5", "pc-7.lan"]
    moment = float(START)
    for number in range(ROWS):
        moment += choose.expovariate(ROWS / (12 * 86_400))
        stamp = f"{moment - choose.random() * 3:.3f}"
        host = choose.choices(hosts, weights)[0]
        client = choose.choice(clients) if number % 5000 else "172.16.9.9"
        size = choose.choice((0, 0, 300, 512, int(choose.lognormvariate(8, 2))))
        user = choose.choice(("alice", "bob")) if number % 400 == 0 else "-"
        if choose.random() < 0.6:
            result, method, url = "TCP_TUNNEL/200", "CONNECT", f"{host}:443"
        else:
            method = choose.choice(("GET", "GET", "GET", "POST", "HEAD"))
            url = f"http://{host}/{choose.choice(['', 'index.html', f'p/{choose.randrange(500)}', 'Ä?q=1%25'])}"
            results = ("TCP_MISS/200", "TCP_HIT/200", "TCP_MISS/404", "TCP_MISS/403", "TCP_MISS_ABORTED/000")
            result = choose.choice(results)
        if choose.random() < 0.03:
            result = choose.choice(("TCP_DENIED/403", "TCP_DENIED/407"))
        hierarchy = "HIER_NONE/-" if "DENIED" in result or "TCP_HIT" in result else "HIER_DIRECT/192.0.2.1"
        elapsed = choose.randrange(900)
        yield f"{stamp} {elapsed:6d} {client} {result} {size} {method} {url} {user} {hierarchy} text/html\n"
