"""Every parameter of every read of the API, with what may be meant by it and with what can't be."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given

from proxyweb.api.context import core_of
from proxyweb.app import create_app
from proxyweb.db.connection import connect
from proxyweb.ingest.importer import Importer
from tests.clients import Answer, Client, basic, signed_in
from tests.conftest import VIEWER_PASSWORD, Clock, configuration
from tests.fuzz.mutation import GIVEN, ODD, SEEDS, budget, mutated
from tests.ingest.factory import START_MS, log, traffic

QUESTIONS = 20  # an example
NOT_ASKED = {"/api/maintenance/backup", "/api/openapi.json", "/api/docs"}  # these take no parameter, and are large
MEANT = [
    text.encode() for text in (
        "site3.test", "10.0.0.3", "10.0.0.0/24", "2001:db8::/32", "-24h", "-7d", "2026-02-02 02:41:00", "1770000000",
        "2026-02-02T02:41:00+03:00", "GET", "403", "4xx", "TCP_DENIED", "true", "false", "policy", "ayse", "page/1",
        "7d", "all", "1h", "day", "bytes", "asc", "desc", "destination", "timestamp", "csv", "ndjson", "0", "1", "50",
        "1000", "WyJ0aW1lIiwiZGVzYyIsMTc3MDAwMDAwMDI1MCwxXQ", "SQL_INJECTION", "bücher.test", "xn--bcher-kva.test",
    )
]  # fmt: skip
STATUSES = {200, 400, 404}


@pytest.fixture(scope="module")
def viewer(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Someone who may read some thousand entries."""
    folder = tmp_path_factory.mktemp("filtered")
    instance, path = Path(shutil.copytree(prepared, folder / "instance")), folder / "access.log"
    path.write_bytes(log(*traffic(3000)))
    os.utime(path, (time.time() - 60,) * 2)
    conn = connect(instance / "proxyweb.sqlite")
    Importer(conn, parallel=False).import_file(path)
    conn.close()
    config = configuration(instance, EXPORTS_PER_MINUTE="1000")
    app = create_app(config, Clock(START_MS / 1000 + 900))
    yield signed_in(app, basic("viewer", VIEWER_PASSWORD))
    core_of(app).database.close()


@pytest.fixture(scope="module")
def reads(viewer: Client) -> list[tuple[str, list[dict[str, Any]]]]:
    """Every address that can be read, with its parameters."""
    paths = viewer.get("/api/openapi.json").json["paths"]
    found = [(path, item["get"]) for path, item in paths.items() if "get" in item and path not in NOT_ASKED]
    return [(path, read.get("parameters", [])) for path, read in found if read["x-role"] != "admin"]


@budget(25, 2_500)
@given(SEEDS)
def test_whatever_is_asked(viewer: Client, reads: list[tuple[str, list[dict[str, Any]]]], seed: int) -> None:
    """It is answered, or a parameter that was given is named as wrong."""
    choose = Random(seed)
    for _ in range(QUESTIONS):
        GIVEN["inputs"] += 1
        path, declared = choose.choice(reads)
        named = [parameter["name"] for parameter in declared if parameter["in"] == "query"]
        asked = {name: value(choose) for name in choose.sample(named, choose.randrange(min(len(named), 4) + 1))}
        for parameter in declared:
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", quote(value(choose), safe=""))
        address = f"{path}?{urlencode(asked)}"
        with viewer.get(address) as answer:
            check(answer, path, asked, address)


def check(answer: Answer, path: str, asked: dict[str, bytes], address: str) -> None:
    if answer.status_code == 503:  # URLs are counted aside, and told when asked for again
        assert "Retry-After" in answer.headers, address
    elif answer.status_code not in (301, 308):  # a path value with a slash or two
        assert answer.status_code in STATUSES, address
        if answer.status_code == 400 and answer.json.get("errors"):
            assert {error["field"] for error in answer.json["errors"]} <= {*asked, "ip", "name", "id"}, address
        elif answer.status_code == 200 and answer.headers["Content-Type"] == "application/json":
            assert answer.json["status"] == "success" or path == "/api/health", address


def value(choose: Random) -> bytes:
    """Half of them mean something, somewhere."""
    return choose.choice(MEANT) if choose.random() < 0.5 else mutated(choose, (*MEANT, *ODD), most=2)
