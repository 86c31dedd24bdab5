"""Conditional GET: unchanged answers cost nothing, and nothing that changed is taken for unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import pytest
from apiflask import APIBlueprint, APIFlask
from flask import Response, request, stream_with_context

from proxyweb.api import context
from proxyweb.api.binding import query
from proxyweb.api.bodies import Bodies, Body
from proxyweb.api.conditional import conditional
from proxyweb.api.envelope import success
from proxyweb.api.parameters import Instant, Query, Whole
from proxyweb.db.database import advance
from tests.clients import Client, anonymous, basic, signed_in
from tests.conftest import ADMIN_PASSWORD, VIEWER_PASSWORD, Clock


class Part(Query):
    """Which part."""

    limit: Annotated[int, Whole(1, 10)] = 1
    since: Instant | None = None


@pytest.fixture
def counting(make_app: Callable[..., APIFlask]) -> APIFlask:
    """An application whose reads say how often they were really answered."""
    blueprint = APIBlueprint("counting", __name__)
    times = iter(range(1, 1000))

    @blueprint.get("/api/counted")
    @conditional("logs")
    @query(Part)
    def counted(parameters: Part) -> Response:
        answer = success(next(times))
        answer.headers["X-Window-Since"] = "2026-01-01 00:00:00"
        return answer

    @blueprint.get("/api/hourly")
    @conditional("logs", grain=3600)
    def hourly() -> Response:
        return success(next(times))

    @blueprint.get("/api/analysed")
    @conditional("logs", serves_on=True)
    def analysed() -> Response:
        app.extensions["proxyweb"].bodies.monotonic.now += float(request.headers.get("X-Takes", "0"))
        return success(next(times))

    @blueprint.get("/api/streamed")
    def streamed() -> Response:
        def rows() -> Iterator[bytes]:
            with context.reading() as conn:
                for (name,) in conn.execute("SELECT username FROM users ORDER BY username"):
                    yield name.encode()

        return Response(stream_with_context(rows()), mimetype="text/csv")

    app = make_app()
    app.extensions["proxyweb"].bodies.monotonic = Clock()
    app.register_blueprint(blueprint)
    return app


@pytest.fixture
def reader(counting: APIFlask) -> Client:
    return signed_in(counting, basic("viewer", VIEWER_PASSWORD))


def change(app: APIFlask, name: str) -> None:
    with app.extensions["proxyweb"].database.write() as conn:
        advance(conn, name)


def test_an_unchanged_answer_is_a_304_or_comes_from_memory(counting: APIFlask, reader: Client) -> None:
    first = reader.get("/api/counted")
    assert first.json["data"] == 1
    etag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "private, no-cache"
    for sent in (etag, f"W/{etag}", f'"other", {etag}'):
        unchanged = reader.get("/api/counted", headers={"If-None-Match": sent})
        assert (unchanged.status_code, unchanged.data) == (304, b"")
        assert unchanged.headers["ETag"] == etag
    again = reader.get("/api/counted", headers={"If-None-Match": '"other"'})
    assert (again.status_code, again.json["data"]) == (200, 1)
    assert again.headers["X-Window-Since"] == "2026-01-01 00:00:00"
    assert again.headers["Content-Type"] == "application/json"
    head = reader.head("/api/counted")
    assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", etag)
    change(counting, "audit")
    assert reader.get("/api/counted").json["data"] == 1


@pytest.mark.parametrize("name", ["logs", "settings"])
def test_a_change_is_seen_at_once(counting: APIFlask, reader: Client, name: str) -> None:
    etag = reader.get("/api/counted").headers["ETag"]
    change(counting, name)
    assert reader.get("/api/counted", headers={"If-None-Match": etag}).json["data"] == 2


def test_query_and_role_have_answers_of_their_own(counting: APIFlask, reader: Client) -> None:
    other = signed_in(counting, basic("admin", ADMIN_PASSWORD))
    answers = [reader.get("/api/counted"), reader.get("/api/counted?limit=2"), other.get("/api/counted")]
    assert [answer.json["data"] for answer in answers] == [1, 2, 3]
    assert len({answer.headers["ETag"] for answer in answers}) == 3


def test_the_clock_counts_where_the_answer_depends_on_it(reader: Client, clock: Clock) -> None:
    assert [reader.get("/api/counted").json["data"], reader.get("/api/hourly").json["data"]] == [1, 2]
    clock.now += 1
    assert [reader.get("/api/counted").json["data"], reader.get("/api/hourly").json["data"]] == [1, 2]
    assert reader.get("/api/counted?since=-15%6D").json["data"] == 3
    clock.now += 1
    assert reader.get("/api/counted?since=-15%6D").json["data"] == 4
    clock.now += 3600
    assert reader.get("/api/hourly").json["data"] == 5


def test_a_failure_is_not_remembered(reader: Client) -> None:
    refused = reader.get("/api/counted?limit=0")
    assert refused.status_code == 400
    assert "ETag" not in refused.headers
    assert refused.headers["Cache-Control"] == "no-store"


def test_credentials_come_before_the_etag(counting: APIFlask, reader: Client) -> None:
    etag = reader.get("/api/counted").headers["ETag"]
    assert anonymous(counting).get("/api/counted", headers={"If-None-Match": etag}).status_code == 401


def test_every_other_read_has_an_etag_by_its_content(reader: Client) -> None:
    for path in ("/api/status", "/api/health"):
        first = reader.get(path)
        again = reader.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")


def test_a_stream_is_left_alone(reader: Client) -> None:
    answer = reader.get("/api/streamed")
    assert answer.data == b"adminviewer"
    assert answer.headers["Cache-Control"] == "no-store"


def test_memory_is_bounded() -> None:
    bodies = Bodies(most=3, most_bytes=100)
    for name in "abcd":
        bodies.put(name, Body(b"x", ()))
    assert [bodies.get(name) is not None for name in "abcd"] == [False, True, True, True]
    bodies.put("large", Body(b"x" * 26, ()))
    assert bodies.get("large") is None
    for name in "efgh":
        bodies.put(name, Body(b"x" * 25, ()))
    bodies.put("h", Body(b"y" * 25, ()))
    assert [bodies.get(name) is not None for name in "bcdefgh"] == [False] * 4 + [True] * 3


def analysed(client: Client, takes: float = 0.0) -> int:
    answer: int = client.get("/api/analysed", headers={"X-Takes": str(takes)}).json["data"]
    return answer


@pytest.mark.parametrize(("takes", "serves"), [(0.004, 0.0), (0.05, 0.5), (0.3, 1.0), (9.0, 1.0)])
def test_what_took_long_serves_on_for_a_while(counting: APIFlask, reader: Client, takes: float, serves: float) -> None:
    clock = counting.extensions["proxyweb"].bodies.monotonic
    first = reader.get("/api/analysed", headers={"X-Takes": str(takes)})
    change(counting, "logs")
    clock.now += max(serves - 0.01, 0)
    again = analysed(reader)
    assert again == (1 if serves else 2)
    if serves:
        unchanged = reader.get("/api/analysed", headers={"If-None-Match": first.headers["ETag"]})
        assert unchanged.status_code == 304
        clock.now += 0.02
        assert analysed(reader) == 2


@pytest.mark.parametrize("generation", ["deletions", "settings"])
def test_only_new_rows_are_waited_for(counting: APIFlask, reader: Client, generation: str) -> None:
    assert analysed(reader, takes=1) == 1
    change(counting, "logs")
    change(counting, generation)
    assert analysed(reader) == 2


def test_all_who_ask_at_once_get_one_answer(counting: APIFlask) -> None:
    with ThreadPoolExecutor(4) as pool:
        clients = [signed_in(counting, basic("viewer", VIEWER_PASSWORD)) for _ in range(4)]
        assert set(pool.map(lambda client: analysed(client, takes=0.1), clients)) == {1}
