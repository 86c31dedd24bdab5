"""URLs of long windows over HTTP: counted aside, the same as a recount, kept for a while, and gone with the rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from proxyweb import url_counter
from proxyweb.api import urls
from proxyweb.api.context import core_of
from proxyweb.api.urls import UrlList
from proxyweb.db.connection import connect
from proxyweb.locks import held
from proxyweb.queries.url_counts import KEPT_SECONDS
from proxyweb.queries.urls import ranked_urls
from proxyweb.retention import clear_old
from tests.clients import Client, signed_in
from tests.conftest import START, Clock
from tests.ingest.factory import Request, log
from tests.ingest.importing import import_log

DAY_MS = 86_400_000
NOW_MS = int(START * 1000)
LOG_DAYS = 50
WINDOWS = {"7d": 7, "30d": 30, "all": LOG_DAYS}


def requests(count: int, seed: int) -> list[Request]:
    choose = random.Random(seed)
    return [
        Request(
            NOW_MS - choose.randrange(LOG_DAYS * DAY_MS), url=f"http://{choose.choice('ab')}.test/{choose.randrange(60)}",
            status=choose.choice((200, 200, 404)), elapsed_ms=choose.randrange(900), size=choose.randrange(900),
            referer=choose.choice(("", "http://a.test/x", f"http://c.test/{choose.randrange(9)}")),
            peer=choose.choice(("192.0.2.1", "192.0.2.2", "")),
            client=f"10.0.{choose.randrange(3)}.{choose.randrange(100)}",
        )
        for _ in range(count)
    ]  # fmt: skip


def add(instance: Path, count: int = 1500, seed: int = 3) -> None:
    import_log(instance, log(*requests(count, seed), log_format="proxyweb"), f"traffic-{seed}.log")


@pytest.fixture
def traffic(instance: Path) -> None:
    add(instance)


def counted(app: APIFlask, client: Client, window: str, limit: int = 200) -> dict[str, Any]:
    """What is answered once it has been counted."""
    answer = client.get(f"/api/analytics/urls?window={window}&limit={limit}")
    if answer.status_code == 503:
        core_of(app).url_counter.wait()
        answer = client.get(f"/api/analytics/urls?window={window}&limit={limit}")
    assert answer.status_code == 200, answer.json
    data: dict[str, Any] = answer.json["data"]
    UrlList.model_validate(data, strict=True)
    return data


def recounted(instance: Path, days: int) -> dict[str, Any]:
    """The same from every row, by Python."""
    with closing(connect(instance / "proxyweb.sqlite")) as conn:
        rows = conn.execute(
            "SELECT e.destination, e.status_code, e.elapsed_ms, e.referer, e.peer FROM proxy_log_entries AS e"
            " JOIN proxy_logs AS l USING (id) WHERE l.time_ms >= ?",
            ((NOW_MS - days * DAY_MS) // DAY_MS * DAY_MS,),
        ).fetchall()
    urls = Counter(row[0] for row in rows)
    not_found = Counter(row[0] for row in rows if row[1] == 404)
    referrers = Counter(row[3] for row in rows if row[3])
    servers = Counter(row[4] for row in rows if row[4])
    return {
        "requests": len(rows),
        "distinct": (len(urls), len(not_found), len(referrers), len(servers)),
        "times": (round(sum(row[2] for row in rows) / len(rows)), max(row[2] for row in rows)),
        "lists": [ranked(counts) for counts in (urls, not_found, referrers, servers)],
    }


def ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def essence(data: dict[str, Any]) -> dict[str, Any]:
    lists = [[(row["url"], row["requests"]) for row in data[name]] for name in ("urls", "not_found")]
    lists += [[(row["name"], row["count"]) for row in data[name]] for name in ("referrers", "servers")]
    distinct = ("urls", "not_found", "referrers", "servers")
    return {
        "requests": data["requests"],
        "distinct": tuple(data[f"distinct_{name}"] for name in distinct),
        "times": (data["mean_ms"], data["longest_ms"]),
        "lists": lists,
    }


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize("window", WINDOWS)
def test_what_was_counted_aside_equals_a_recount(app: APIFlask, viewer: Client, instance: Path, window: str) -> None:
    first = viewer.get(f"/api/analytics/urls?window={window}")
    assert first.status_code == 503
    assert "are being counted" in first.json["detail"]
    assert 1 <= int(first.headers["Retry-After"]) <= 5
    data = counted(app, viewer, window)
    assert essence(data) == recounted(instance, WINDOWS[window])
    assert data["until"] == "2026-02-02 02:40:00"
    short = counted(app, viewer, window, limit=3)
    assert [short[name] for name in ("urls", "servers")] == [data[name][:3] for name in ("urls", "servers")]


@pytest.mark.usefixtures("traffic")
def test_clients_masked_alike_are_summed_up_before_the_list_is_cut(app: APIFlask, admin: Client) -> None:
    before = counted(app, admin, "30d")["longest"]["clients"]
    admin.put("/api/settings/gdpr_mode", json={"value": True})
    masked = counted(app, admin, "30d", limit=2)["longest"]["clients"]
    assert len(before) == 200
    assert len(masked) == 2
    every = counted(app, admin, "30d")["longest"]["clients"]
    assert {row["name"] for row in every} == {"10.0.0.x", "10.0.1.x", "10.0.2.x"}
    assert sum(row["count"] for row in every) == counted(app, admin, "30d")["requests"]
    assert masked == every[:2]
    assert masked[0]["longest_ms"] == before[0]["longest_ms"]
    assert all(row["mean_ms"] == round(row["elapsed_ms"] / row["count"]) for row in every)


@pytest.mark.usefixtures("traffic")
def test_many_requests_are_counted_aside_in_any_window(
    app: APIFlask, viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = counted(app, viewer, "24h")
    monkeypatch.setattr(urls, "MOST_AT_ONCE", 5)
    answer = viewer.get("/api/analytics/urls?window=24h")
    assert (answer.status_code, "are being counted" in answer.json["detail"]) == (503, True)
    assert counted(app, viewer, "24h") == at_once


@pytest.mark.usefixtures("traffic")
def test_it_equals_a_recount_after_old_rows_were_cleared(app: APIFlask, viewer: Client, instance: Path) -> None:
    before = counted(app, viewer, "30d")
    with closing(connect(instance / "proxyweb.sqlite")) as conn:
        assert clear_old(conn, 20, START) > 0
        assert conn.execute("SELECT count(*) FROM url_counts").fetchone()[0] == 0
    assert viewer.get("/api/analytics/urls?window=30d").status_code == 503
    core_of(app).url_counter.wait()
    after = counted(app, viewer, "30d")
    assert after["requests"] < before["requests"]
    assert essence(after) == recounted(instance, 30)


@pytest.mark.usefixtures("traffic")
def test_clearing_everything_takes_it_along(app: APIFlask, admin: Client) -> None:
    assert counted(app, admin, "30d")["requests"] > 0
    assert admin.post("/api/logs/clear").status_code == 200
    data = counted(app, admin, "30d")
    assert (data["requests"], data["distinct_urls"], data["urls"], data["referrers"]) == (0, 0, [], [])


@pytest.mark.usefixtures("traffic")
def test_it_serves_for_ten_minutes_and_says_until_when_it_is(
    app: APIFlask, viewer: Client, instance: Path, clock: Clock
) -> None:
    before = counted(app, viewer, "7d")
    add(instance, seed=4)
    clock.now += KEPT_SECONDS - 60
    assert counted(app, viewer, "7d") == before
    clock.now += 120
    assert viewer.get("/api/analytics/urls?window=7d").status_code == 503
    core_of(app).url_counter.wait()
    after = counted(app, viewer, "7d")
    assert after["until"] > before["until"]
    assert essence(after) == recounted(instance, 7)


@pytest.mark.usefixtures("traffic")
def test_one_process_counts_and_every_one_answers(make_app: Callable[..., APIFlask], viewer: Client) -> None:
    authorization = viewer.environ_base["HTTP_AUTHORIZATION"]
    one, other = make_app(), make_app()
    with held(core_of(one).config.url_counter_lock, "held by the test"):  # as a process that counts holds it
        assert signed_in(one, authorization).get("/api/analytics/urls?window=7d").status_code == 503
        core_of(one).url_counter.wait()
        assert signed_in(one, authorization).get("/api/analytics/urls?window=7d").status_code == 503
        core_of(one).url_counter.wait()
    data = counted(one, signed_in(one, authorization), "7d")
    assert signed_in(other, authorization).get("/api/analytics/urls?window=7d&limit=200").json["data"] == data


@pytest.mark.usefixtures("traffic")
def test_what_kept_it_from_counting_is_told_once(app: APIFlask, viewer: Client, instance: Path) -> None:
    lock = core_of(app).config.url_counter_lock
    lock.symlink_to(instance / "nowhere")  # which a lock does not follow
    assert "being counted" in viewer.get("/api/analytics/urls?window=7d").json["detail"]
    core_of(app).url_counter.wait()
    assert viewer.get("/api/analytics/urls?window=7d").status_code == 500
    lock.unlink()
    assert counted(app, viewer, "7d")["requests"] > 0


@pytest.mark.usefixtures("traffic")
def test_what_was_counted_while_rows_were_deleted_is_not_kept(
    app: APIFlask, viewer: Client, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted_meanwhile(*arguments: Any) -> dict[str, Any]:
        figures = ranked_urls(*arguments)
        with closing(connect(instance / "proxyweb.sqlite")) as conn:
            clear_old(conn, 20, START)
        return figures

    monkeypatch.setattr(url_counter, "ranked_urls", counted_meanwhile)
    for _ in range(2):  # the second time there is nothing left to delete
        assert viewer.get("/api/analytics/urls?window=30d").status_code == 503
        core_of(app).url_counter.wait()
    assert essence(counted(app, viewer, "30d")) == recounted(instance, 30)
