"""Parameters and bodies: what is taken, and that everything else is a 400 which names the field."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any, Literal

import pytest
from apiflask import APIBlueprint, APIFlask
from flask import Response
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from proxyweb.api.answers import Failure
from proxyweb.api.binding import body, query
from proxyweb.api.envelope import success
from proxyweb.api.parameters import Flag, Instant, Payload, Query, Whole, instant
from tests.clients import Client, basic, signed_in
from tests.conftest import ADMIN_PASSWORD, START


class Everything(Query):
    """One parameter of every type."""

    limit: Annotated[int, Whole(1, 1000)] = 100
    after_id: Annotated[int, Whole()] = 0
    blocked: Flag | None = None
    order: Literal["asc", "desc"] = "desc"
    since: Instant | None = None
    search: Annotated[str, Field(max_length=100)] | None = None


class Named(Payload):
    """One field of some types."""

    name: str
    count: Annotated[int, Whole(1, 10)] = 1
    on: Flag = False


@pytest.fixture
def asking(make_app: Callable[..., APIFlask]) -> Client:
    blueprint = APIBlueprint("everything", __name__)

    @blueprint.get("/api/everything")
    @query(Everything)
    def everything(parameters: Everything) -> Response:
        return success(parameters.model_dump())

    @blueprint.post("/api/named")
    @body(Named)
    def named(payload: Named) -> Response:
        return success(payload.model_dump())

    @blueprint.post("/api/nothing")
    def nothing() -> Response:
        return success(None)

    app = make_app()
    app.register_blueprint(blueprint)
    return signed_in(app, basic("admin", ADMIN_PASSWORD))


def refused(answer: Any, *fields: str) -> list[str]:
    """Holds a 400 to its shape and to naming `fields`; its messages."""
    assert answer.status_code == 400, answer.json
    errors = Failure.model_validate(answer.json).errors
    assert [error.field for error in errors] == list(fields)
    assert all(error.field in answer.json["detail"] for error in errors)
    return [error.message for error in errors]


def test_defaults_and_values(asking: Client) -> None:
    assert asking.get("/api/everything").json["data"]["limit"] == 100
    text = "limit=7&after_id=9223372036854775807&blocked=true&order=asc&since=2026-01-01&search=a%26b&_=123&_=124"
    assert asking.get(f"/api/everything?{text}").json["data"] == {
        "limit": 7,
        "after_id": 2**63 - 1,
        "blocked": True,
        "order": "asc",
        "since": 1_767_225_600_000,
        "search": "a&b",
    }


@pytest.mark.parametrize(
    "text",
    ["0", "-1", "1001", "1e2", "1.0", "1_0", "+1", " 1", "1 ", "", "NaN", "inf", "0x1", "1;", "1,2", "٣", "１", "²",
     "null", "-0x1", "--1", str(2**31), str(2**63), str(2**64), str(10**400), "9" * 5000, "%00", "1%0A", "true", "[1]"],
)  # fmt: skip
def test_a_number_out_of_range_or_none_at_all(asking: Client, text: str) -> None:
    messages = refused(asking.get("/api/everything", query_string=f"limit={text}"), "limit")
    assert messages == ["must be a whole number from 1 to 1000"]


def test_a_number_of_any_size_has_a_bound_too(asking: Client) -> None:
    assert refused(asking.get(f"/api/everything?after_id={2**63}"), "after_id") == [
        "must be a whole number of at least 0"
    ]


@pytest.mark.parametrize("text", ["True", "1", "0", "yes", "", "TRUE", "null"])
def test_a_flag_is_true_or_false(asking: Client, text: str) -> None:
    assert refused(asking.get(f"/api/everything?blocked={text}"), "blocked") == ["must be true or false"]


def test_a_choice_names_its_values(asking: Client) -> None:
    assert refused(asking.get("/api/everything?order=up"), "order") == ["must be one of asc, desc"]


def test_a_text_has_a_longest_length(asking: Client) -> None:
    assert refused(asking.get(f"/api/everything?search={'%25' * 101}"), "search") == ["must be at most 100 characters"]


def test_unknown_and_repeated_parameters_are_refused(asking: Client) -> None:
    refused(asking.get("/api/everything?limti=1"), "limti")
    refused(asking.get("/api/everything?limit=1&limit=1"), "limit")
    refused(asking.get("/api/everything?limit=0&order=x"), "limit", "order")
    refused(asking.get("/api/everything?%0d%0aSet-Cookie=1"), "\\r\\nSet-Cookie")
    refused(asking.get("/api/status?limit=1"), "limit")
    refused(asking.post("/api/nothing?x=1"), "x")
    refused(asking.post("/api/named?name=1", json={"name": "a"}), "name")
    assert (
        len(
            refused(
                asking.get("/api/everything?" + "&".join(f"p{n}=1" for n in range(50))), *[f"p{n}" for n in range(10)]
            )
        )
        == 10
    )


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2026-02-02 02:40:00", 1_770_000_000_000),
        ("2026-02-02T02:40:00Z", 1_770_000_000_000),
        ("2026-02-02T03:40:00+01:00", 1_770_000_000_000),
        ("2026-02-02 03:40:00+0100", 1_770_000_000_000),
        ("2026-02-02T02:40:00.25Z", 1_770_000_000_250),
        ("2026-02-02T02:40", 1_770_000_000_000),
        ("2026-02-02", 1_769_990_400_000),
        ("1770000000", 1_770_000_000_000),
        ("1770000000.5", 1_770_000_000_500),
        ("1770000000.1239", 1_770_000_000_123),
        ("0", 0),
        ("-15m", 1_769_999_100_250),
        ("-24h", 1_769_913_600_250),
        ("-7d", 1_769_395_200_250),
        ("-30s", 1_769_999_970_250),
    ],
)  # fmt: skip
def test_times_are_taken_in_every_form(text: str, milliseconds: int) -> None:
    assert instant(text, START) == milliseconds


@pytest.mark.parametrize(
    "text",
    ["", "now", "yesterday", "-1", "-15", "15m", "-15w", "-m", "- 15m", "-99999999999d", "-999999999d", "1e9",
     "1770000000.", ".5", "2026-13-01", "2026-02-30", "2026-02-02 25:00:00", "2026-02-02T02:40:00+25:00", "2026-W05",
     "1969-12-31", "99999-01-01", "٢٠٢٦-02-02", "1" * 12, "2026-02-02 02:40:00 ", "2026-02-02  02:40:00", "-15m\n"],
)  # fmt: skip
def test_what_is_no_time_is_refused(asking: Client, text: str) -> None:
    messages = refused(asking.get("/api/everything", query_string={"since": text}), "since")
    assert messages[0].startswith("must be a time")


@given(st.datetimes(datetime(1970, 1, 2), datetime(9998, 1, 1)), st.integers(-23 * 60, 23 * 60))
def test_an_offset_says_where_the_clock_hangs(when: datetime, minutes: int) -> None:
    there = when.replace(microsecond=when.microsecond // 1000 * 1000, tzinfo=timezone(timedelta(minutes=minutes)))
    if there.timestamp() >= 0:
        assert instant(there.isoformat(), START) == (there - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
            milliseconds=1
        )


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert instant(text, START) >= 0


@given(st.text(max_size=30) | st.integers().map(str))
def test_any_text_is_a_number_in_range_or_refused(text: str) -> None:
    try:
        assert 1 <= Whole(1, 1000).parse(text) <= 1000
    except ValueError:
        assert not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1000 and len(text) < 5)


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ("{}", ["name"]),
        ('{"name": 1}', ["name"]),
        ('{"name": "a", "role": "admin"}', ["role"]),
        ('{"name": "a", "count": 11}', ["count"]),
        ('{"name": "a", "count": true}', ["count"]),
        ('{"name": "a", "count": 1.5}', ["count"]),
        ('{"name": "a", "count": 1e400}', ["body"]),
        ('{"name": "a", "on": 1}', ["on"]),
        ('{"name": "\\ud800"}', ["body"]),
        ("[]", ["body"]),
        ("null", ["body"]),
        ("1", ["body"]),
        ("{", ["body"]),
        ('{"name": NaN}', ["body"]),
        ("\xff\xfe", ["body"]),
        ("[" * 60_000, ["body"]),
        ('{"a":' * 12_000, ["body"]),
    ],
)
def test_a_body_that_does_not_fit(asking: Client, sent: str, fields: list[str]) -> None:
    answer = asking.post("/api/named", data=sent.encode("latin-1"), content_type="application/json")
    refused(answer, *fields)


def test_bodies_of_another_type_or_size(asking: Client) -> None:
    sent = b'{"name": "a"}'
    assert asking.post("/api/named", data=sent, content_type="application/json; charset=utf-8").status_code == 200
    for other in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        assert asking.post("/api/named", data=sent, content_type=other).status_code == 415
    packed = asking.post("/api/named", data=sent, content_type="application/json", headers={"Content-Encoding": "gzip"})
    assert packed.status_code == 415
    many = b'{"name": "a"' + b"".join(b', "f%d": 1' % number for number in range(4000)) + b"}"
    started = time.perf_counter()
    assert asking.post("/api/named", data=many, content_type="application/json").status_code == 400
    large = asking.post("/api/named", data=b" " * 65_537, content_type="application/json")
    assert (large.status_code, large.json["status"]) == (413, "error")
    assert time.perf_counter() - started < 1
    assert refused(asking.post("/api/named"), "name") == ["is required"]


def test_an_action_without_fields_takes_no_body_or_an_empty_one(asking: Client) -> None:
    assert asking.post("/api/nothing").status_code == 200
    assert asking.post("/api/nothing", data=b"", content_type="text/plain").status_code == 200
    assert asking.post("/api/nothing", json={}).status_code == 200
    refused(asking.post("/api/nothing", json={"is_admin": True}), "is_admin")
    assert asking.post("/api/nothing", data=b"x", content_type="text/plain").status_code == 415
