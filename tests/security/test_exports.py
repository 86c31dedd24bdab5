"""What is taken along: how often and how many at once, and cells that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from apiflask import APIFlask

from tests.clients import Answer, Client, basic, signed_in
from tests.conftest import ADMIN_PASSWORD, VIEWER_PASSWORD, Clock
from tests.e2e.server import Server
from tests.ingest.factory import Request, log
from tests.ingest.importing import import_log

FORMULAS = tuple(
    f"{before}{formula}"
    for before in ("", '"', "'", " ", "\t", "\r", '""', "a;", 'a;"', "a\t")
    for formula in ("=cmd|'/c_calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "＝1", "\t=1", "\r=1")
)


def export(client: Client, query: str = "") -> Answer:
    return client.get(f"/api/logs/export?{query}")


def test_a_user_may_begin_so_many_a_minute(make_app: Callable[..., APIFlask], clock: Clock) -> None:
    """Over all processes, and whoever else does."""
    here, there = (make_app(EXPORTS_PER_MINUTE="3") for _ in range(2))
    viewers = [signed_in(app, basic("viewer", VIEWER_PASSWORD)) for app in (here, there)]
    assert [export(viewers[number % 2]).status_code for number in range(3)] == [200] * 3
    clock.now += 10.5
    for viewer in viewers:
        refused = export(viewer)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "50")
        assert refused.json["status"] == "error"
        assert viewer.get("/api/logs").status_code == 200
        assert viewer.head("/api/logs/export").status_code == 200, "which hands nothing out"
    assert export(signed_in(here, basic("admin", ADMIN_PASSWORD))).status_code == 200
    clock.now += 50
    assert export(viewers[0]).status_code == 200


def test_what_was_refused_does_not_count(make_app: Callable[..., APIFlask]) -> None:
    viewer = signed_in(make_app(EXPORTS_PER_MINUTE="1"), basic("viewer", VIEWER_PASSWORD))
    assert export(viewer, "status=nonsense'").status_code == 400
    assert export(viewer).status_code == 200
    assert [export(viewer).status_code for _ in range(3)] == [429] * 3
    assert viewer.get("/api/audit-log").json["total"] == 1


def test_some_threads_stay_free_of_exports(viewer: Client) -> None:
    """Each holds one for as long as its client takes."""
    with export(viewer), export(viewer):
        refused = export(viewer)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
        assert viewer.get("/api/logs").status_code == 200
    for _ in range(3):
        assert export(viewer).get_data(as_text=True)


def test_nothing_is_left_taken_by_exports_that_fail(server: Server) -> None:
    """Refused, broken off, and whole ones, from several clients at once: in the end one is to be had again."""

    def one(number: int) -> int:
        query = ("status=nonsense'", "", "format=ndjson")[number % 3]
        with requests.get(
            f"{server.url}/api/logs/export?{query}", auth=("admin", ADMIN_PASSWORD), stream=True, timeout=10
        ) as answer:
            if number % 2:
                answer.content  # noqa: B018 (to its end)
            return answer.status_code

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(one, range(12))) <= {200, 400, 503}
    for _ in range(4):
        answer = requests.get(f"{server.url}/api/logs/export", auth=("admin", ADMIN_PASSWORD), timeout=10)
        assert (answer.status_code, answer.text.count("\r\n") > 1000) == (200, True)


@pytest.fixture
def formulas(viewer: Client, instance: Path) -> str:
    """An export of requests that hold a formula in all that clients choose; a blank is none of a method or a URL."""
    asked = []
    for text in FORMULAS:
        word = re.sub(r"[\s＝]", "", text)
        asked.append(
            Request(user=text, user_agent=text, content_type=text, client=word, method=word, url=word, referer=text)
        )
    assert import_log(instance, log(*asked, log_format="proxyweb"), "formulas.log").rows == len(FORMULAS)
    return export(viewer).get_data(as_text=True)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_cell_begins_a_formula(formulas: str, separator: str) -> None:
    """Whatever a spreadsheet takes for the end of a cell, and whether or not it heeds quotes."""
    heeding = csv.reader(io.StringIO(formulas, newline=""), delimiter=separator)
    heedless = (line.split(separator) for line in formulas.replace("\r", "\n").split("\n"))
    cells = [cell for row in (*heeding, *(heedless if separator != "," else ())) for cell in row]
    assert len(cells) > len(FORMULAS)
    assert [cell for cell in cells if re.match(r"[\s\"]*[=+@＝＋－＠-]", cell)] == []


def test_the_texts_are_all_there(formulas: str) -> None:
    rows = list(csv.DictReader(io.StringIO(formulas, newline="")))
    assert len(rows) == len(FORMULAS)
    for row, text in zip(reversed(rows), FORMULAS, strict=True):
        assert [row[name].replace("'", "") for name in ("user", "user_agent")] == [text.replace("'", "")] * 2
