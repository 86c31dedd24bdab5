"""A pattern tried out, by itself and over HTTP: what it finds, what is refused, and that it ends."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import re2  # type: ignore[import-untyped]

from proxyweb.api.waf import RuleTried, trial_runs
from proxyweb.db.connection import connect
from proxyweb.errors import Invalid
from proxyweb.ingest.groups import HOUR_MS
from proxyweb.queries import waf
from proxyweb.waf.trial import MOST_EXAMPLES, Trial, matcher, tried
from tests.clients import Client
from tests.conftest import START
from tests.ingest.factory import Request, log
from tests.ingest.importing import import_log

NASTY = r"(.?){1000}z"


def test_texts_are_counted_and_examples_differ() -> None:
    chunks = [["http://a.test/", "http://b.test/É", "http://a.test/"], [], ["http://c.test/\ud800"]]
    assert tried(matcher("[ab]\\.TEST"), chunks) == Trial(4, 3, ["http://a.test/", "http://b.test/É"])
    assert tried(matcher("é"), chunks) == Trial(4, 1, ["http://b.test/É"])
    assert tried(matcher("nowhere"), []) == Trial(0, 0, [])


def test_examples_end_after_fifty() -> None:
    found = tried(matcher("a"), [[f"a{number}" for number in range(200)]])
    assert (found.scanned, found.matched) == (200, 200)
    assert found.examples == [f"a{number}" for number in range(MOST_EXAMPLES)]


def test_time_runs_out() -> None:
    ticks = count()
    found = tried(matcher("a"), [["a", "b"], ["a1", "a2"], ["a3"]], 3, lambda: float(next(ticks)))
    assert found == Trial(2, 1, ["a"])


@pytest.mark.parametrize(
    "regex", [NASTY, r"((a?b?){30}){30}z", r"(a+)+$\w", r"(?:\pL|\pN|.){500}qq", r"(.*)" * 400 + "zz"]
)
def test_a_nasty_pattern_ends(regex: str) -> None:
    began = time.monotonic()
    found = tried(matcher(regex), ([f"http://a.test/{'ab' * 4000}"] for _ in range(100_000)), 0.3)
    assert time.monotonic() - began < 3  # 0.3 s, and the one text that was begun
    assert found.scanned >= 1


def test_others_go_on_meanwhile() -> None:
    """RE2 lets go of the interpreter: a trial in one thread leaves the others their time."""
    trial = Thread(target=tried, args=(matcher(NASTY), [["ab" * 4000] * 20], 0.5))
    trial.start()
    turns = 0
    while trial.is_alive():
        time.sleep(0.001)
        turns += 1
    assert turns > 20


@pytest.mark.parametrize(
    ("regex", "said"),
    [
        ("(", "missing )"),
        (r"(a)\1", "invalid escape sequence"),
        ("(?<!a)b", "invalid perl operator"),
        ("a{1001}", "invalid repetition size"),
        (r"(\pL{50}){20}", "pattern too large"),
        ("|".join(f".{{{length}}}q" for length in range(300, 400)), "pattern too large"),  # 6 s for 8 KB
        ("\ud800", "it must be text"),
        ("a?", "matches an empty text"),
        ("$", "matches an empty text"),
        ("(?i)|a", "matches an empty text"),
    ],
)
def test_what_is_refused(regex: str, said: str) -> None:
    with pytest.raises(Invalid, match="regex: ") as caught:
        matcher(regex)
    assert said in caught.value.errors[0][1]


def test_patterns_are_not_kept() -> None:
    for number in range(5):
        matcher(f"a{number}")
    assert re2._Regexp._make.cache_info().currsize == 0


# Over HTTP


def feed(instance: Path, *asked: tuple[int, str]) -> None:
    """Requests so many seconds ago for these URLs."""
    import_log(instance, log(*(Request(time_ms=(int(START) - seconds) * 1000, url=url) for seconds, url in asked)))


def answered(client: Client, regex: str, **more: Any) -> dict[str, Any]:
    answer = client.post("/api/waf/test-rule", json={"regex": regex, **more})
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json["data"]
    RuleTried.model_validate(found, strict=True)
    return found


def test_a_pattern_is_tried_on_the_last_hours(viewer: Client, instance: Path) -> None:
    urls = ("http://b.test/Union/all", "http://a.test/", "http://a.test/union", "http://a.test/union")
    feed(instance, *((number * 3600, url) for number, url in enumerate(urls)), (-60, "http://union.test/"))
    assert answered(viewer, "UNION") == {
        "regex": "UNION", "hours": 24, "scanned": 4, "matched": 3,
        "examples": ["http://b.test/Union/all", "http://a.test/union"], "would_block": True,
    }  # fmt: skip
    found = answered(viewer, r"^http://a\.test/union$", hours=3)
    assert (found["hours"], found["scanned"], found["matched"], found["would_block"]) == (3, 3, 1, True)
    assert answered(viewer, r"union\z", hours=1)["would_block"] is False
    assert answered(viewer, "union", hours=168)["scanned"] == 4
    assert viewer.get("/api/audit-log").json["total"] == 0


def test_a_pattern_meets_an_empty_log(viewer: Client) -> None:
    found = answered(viewer, "a")
    assert (found["scanned"], found["matched"], found["examples"], found["would_block"]) == (0, 0, [], False)


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({}, "regex", "required"),
        ({"regex": ""}, "regex", "1 characters"),
        ({"regex": "a" * 2001}, "regex", "2000"),
        ({"regex": r"(a)\1"}, "regex", "no pattern of RE2: invalid escape sequence"),
        ({"regex": "(?=a)"}, "regex", "no pattern of RE2: invalid perl operator"),
        ({"regex": "("}, "regex", "no pattern of RE2: missing )"),
        ({"regex": r"(\pL{50}){20}"}, "regex", "no pattern of RE2: pattern too large"),
        ({"regex": "a*"}, "regex", "matches an empty text"),
        ({"regex": "a|"}, "regex", "matches an empty text"),
        ({"regex": "^"}, "regex", "matches an empty text"),
        ({"regex": 1}, "regex", "text"),
        ({"regex": "a", "hours": 0}, "hours", "from 1 to 168"),
        ({"regex": "a", "hours": 169}, "hours", "from 1 to 168"),
        ({"regex": "a", "days": 1}, "days", "not known"),
    ],
)
def test_a_pattern_that_is_refused(viewer: Client, body: dict[str, Any], field: str, said: str) -> None:
    answer = viewer.post("/api/waf/test-rule", json=body)
    assert answer.status_code == 400
    (error,) = answer.json["errors"]
    assert error["field"] == field
    assert said in error["message"]


def test_one_trial_at_a_time(viewer: Client) -> None:
    with trial_runs:
        answer = viewer.post("/api/waf/test-rule", json={"regex": "a"})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answered(viewer, "a")["scanned"] == 0
    assert viewer.post("/api/waf/test-rule", json={"regex": "a*"}).status_code == 400
    assert answered(viewer, "a")["scanned"] == 0


def test_destinations_come_newest_first_zone_by_zone(large_log: Path) -> None:
    with closing(connect(large_log, readonly=True)) as conn:
        newest = conn.execute("SELECT max(time_ms) FROM proxy_logs").fetchone()[0]
        since = newest - 100 * HOUR_MS
        rows = conn.execute(
            "SELECT s.prefix || l.rest FROM proxy_logs AS l JOIN sites AS s ON s.id = l.site_id"
            " WHERE l.time_ms BETWEEN ? AND ? ORDER BY l.time_ms DESC, l.id DESC",
            (since, newest),
        ).fetchall()
        expected = [destination for (destination,) in rows]
        found = [destination for chunk in waf.destinations(conn, since, newest, 10**9) for destination in chunk]
        assert len(found) > 40_000
        assert Counter(found) == Counter(expected)
        assert found[:500] == expected[:500]
        chunks = list(waf.destinations(conn, since, newest, 3000))
        assert [destination for chunk in chunks for destination in chunk] == found[:3000]
        assert max(map(len, chunks)) <= 1024


def test_an_overlong_destination_is_cut(viewer: Client, instance: Path) -> None:
    feed(instance, (1, f"http://a.test/{'x' * 9000}end"))
    assert answered(viewer, "end")["matched"] == 0
    assert [len(example) for example in answered(viewer, "x{9}")["examples"]] == [8192]
