"""Whatever stands in a parameter, a body or an address: it is a value, and what can't be one is a 400."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from apiflask import APIFlask

from proxyweb.db.connection import connect
from tests.clients import Answer, Client, basic, signed_in
from tests.conftest import ADMIN_PASSWORD
from tests.ingest.factory import log, traffic
from tests.ingest.importing import import_log
from tests.security.routes import Parameter, bodies, parameters

ROWS = 400
SQL = (
    "'", '"', "`", "';--", "' OR '1'='1", '" OR ""="', "1 OR 1=1", "1) OR (1=1",
    "x' UNION SELECT password_hash FROM users--",
    "1; DROP TABLE users", "(SELECT username FROM users)", "timestamp; DELETE FROM proxy_logs", "id DESC, (SELECT 1)",
    "CASE WHEN 1=1 THEN 1 ELSE 2 END", "randomblob(1000000000)", "%' ESCAPE '%", "\\", "\x00", "a\x00b", "*/*",
    "?", ":a",
    "10.0.0.0/8' OR 1=1", "-1d' OR 1=1", "\u02bc OR 1=1", "\ud7ff\U0010ffff", "{{7*7}}", "$ne", "[]",
)  # fmt: skip
NUMBERS = (
    "-1", "1e9", "1e400", "NaN", "Infinity", "-Infinity", "1;", "1,", "1.0", "0x1", "1_000", " 1", "1 ", "+1", "1%00",
    "", str(2**63), str(2**64), str(-(2**63) - 1), "9" * 400, "9" * 5000, "٣", "１", "²", "null", "true", "[1]", "1\n",
)  # fmt: skip
TELLING = (
    "sqlite",
    "SELECT ",
    "syntax error",
    "no such column",
    "Traceback",
    ".py",
    "unrecognized token",
    "OperationalError",
)


@pytest.fixture(autouse=True)
def traffic_of_a_day(instance: Path) -> None:
    import_log(instance, log(*traffic(ROWS)))


def asked(admin: Client, parameter: Parameter, value: str) -> Answer:
    if parameter.place == "query":
        return admin.open(parameter.route.path, method=parameter.route.method, query_string={parameter.name: value})
    path = parameter.route.rule.replace(f"{{{parameter.name}}}", quote(value, safe=""))
    return admin.open(path, method=parameter.route.method, json={} if parameter.route.method == "PUT" else None)


def hold(answer: Answer, statuses: set[int], *about: object) -> None:
    """An expected answer that tells nothing of how it was made."""
    assert answer.status_code in statuses, (*about, answer.status_code)
    if answer.status_code != 200:
        text = answer.get_data(as_text=True)
        assert not [word for word in TELLING if word in text], (*about, text)


def test_no_parameter_is_read_as_sql(make_app: Callable[..., APIFlask]) -> None:
    app = make_app(EXPORTS_PER_MINUTE="10000")
    admin = signed_in(app, basic("admin", ADMIN_PASSWORD))
    kept = admin.get("/api/logs/stats").json["data"]
    for parameter in parameters(app, admin):
        for value in SQL:
            statuses = {200, 400} if parameter.place == "query" else {200, 400, 404}
            hold(asked(admin, parameter, value), statuses, parameter.route, parameter.name, value)
    assert admin.get("/api/logs/stats").json["data"] == kept
    assert admin.get("/api/status").status_code == 200, "there are users still"


def test_a_filter_finds_nothing_that_is_not_there(admin: Client) -> None:
    """A quote that ended a text would let through every row."""
    for name in ("search", "client", "domain", "method", "user"):
        for value in SQL:
            answer = admin.get("/api/logs", query_string={name: value})
            if answer.status_code == 200 and value != "?":
                assert answer.json["total"] < ROWS, (name, value)
    everything = admin.get("/api/logs").json["total"]
    assert everything == ROWS


def test_wildcards_are_letters(admin: Client) -> None:
    for value in ("%", "_", "%25", "*", "?x", "[a-z]", "%" * 2000, "_" * 2000, "%_" * 1000):
        begun = time.monotonic()
        assert admin.get("/api/logs", query_string={"search": value}).json["total"] == 0, value
        assert time.monotonic() - begun < 1
    assert admin.get("/api/logs", query_string={"search": "%" * 5000}).status_code == 400


def test_no_number_is_taken_that_is_none_or_out_of_range(app: APIFlask, admin: Client) -> None:
    numbers = [
        each for each in parameters(app, admin) if each.place == "query" and each.schema.get("type") == "integer"
    ]
    assert len(numbers) > 8
    for parameter in numbers:
        for value in NUMBERS:
            hold(asked(admin, parameter, value), {400}, parameter.route, parameter.name, value)
        beyond = str(int(parameter.schema["maximum"]) + 1)
        hold(asked(admin, parameter, beyond), {400}, parameter.route, parameter.name)


def test_no_number_in_an_address_is_too_large(app: APIFlask, admin: Client) -> None:
    within = [each for each in parameters(app, admin) if each.place == "path"]
    assert len(within) >= 4
    for parameter in within:
        for value in (*NUMBERS, str(2**63 - 1), "0"):
            if value:
                hold(asked(admin, parameter, value), {200, 400, 404, 405}, parameter.route, value)


def test_no_parameter_is_taken_twice(app: APIFlask, admin: Client) -> None:
    for parameter in parameters(app, admin):
        if parameter.place == "query" and parameter.route.method == "GET":
            name = parameter.name
            hold(admin.get(f"{parameter.route.path}?{name}=1&{name}=1"), {400}, parameter.route, name)
            hold(admin.get(f"{parameter.route.path}?{name}[]=1"), {400}, parameter.route, name)


def test_no_field_is_read_as_sql(app: APIFlask, admin: Client) -> None:
    """In place of every field of every body, as a text and as what is none."""
    tried: list[Any] = [*SQL, *NUMBERS, {"$ne": ""}, ["a"], None, 1e300, -1, 2**63, 2**64, True]
    found = bodies(app, admin)
    assert len(found) > 8
    for route, properties in found.items():
        for value in tried:
            body = dict.fromkeys(properties or ("log_retention_days", "gdpr_mode", "nonsense'"), value)
            answer = admin.open(route.path, method=route.method, json=body)
            hold(answer, {200, 400, 401, 404, 409, 429}, route, value)
    with closing(connect(app.extensions["proxyweb"].config.database, readonly=True)) as conn:
        assert conn.execute("SELECT count(*) FROM proxy_logs").fetchone() == (ROWS,)
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (2,)


def test_no_cursor_but_ours_is_taken(admin: Client) -> None:
    for content in (
        b'["time","desc",1,"1 OR 1=1"]', b'["time","desc","1",1]', b'["time OR 1=1","desc",1,1]',
        b'["time","desc",1e400,1]',
        b'["time","desc",99999999999999999999999,1]', b'["time","desc",1,99999999999999999999999]',
        b'["time","desc",true,1]',
        b'["client","desc","x",1]', b'["destination","desc",null,1]', b'["destination","desc",null,-1]',
        b'["destination","desc",null,9223372036854775808]', b'["destination","desc",null,"1"]',
        b"[[[[", b"[" * 10_000, b"{}", b"null", b'["time","desc",-1,-1]',
        b'["time","desc",9223372036854775807,9223372036854775807]',
    ):  # fmt: skip
        for sort in ("timestamp", "client_ip", "destination"):
            cursor = urlsafe_b64encode(content).decode().rstrip("=")
            hold(admin.get(f"/api/logs?sort={sort}&cursor={cursor}"), {200, 400}, content)
