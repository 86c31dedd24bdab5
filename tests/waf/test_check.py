"""`proxyweb waf check`: one answer for each line, whatever it holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from proxyweb.cli import main

ATTACK = "http://shop.test/?id=1%20union%20select%20a,b%20from%20t"


@pytest.fixture(autouse=True)
def instance(tmp_path: Path, compiled: Path, engine: object, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cache").symlink_to(compiled)
    monkeypatch.setenv("PROXYWEB_INSTANCE", str(tmp_path))
    return tmp_path


def checked(lines: bytes, *options: str) -> list[dict[str, Any]]:
    run = CliRunner().invoke(main, ["waf", "check", *options], input=lines, catch_exceptions=False)
    assert run.exit_code == 0, run.output
    return [json.loads(line) for line in run.stdout.splitlines()]


def line(**request: object) -> bytes:
    return json.dumps(request).encode() + b"\n"


def test_answers_come_in_order() -> None:
    requests = [
        line(id=number, method="GET", url=url, headers={}) for number, url in enumerate([ATTACK, "http://a.test/"] * 3)
    ]
    answers = checked(b"".join(requests))
    assert [answer["id"] for answer in answers] == list(range(6))
    assert [answer["blocked"] for answer in answers] == [True, False] * 3
    assert answers[0]["categories"] == ["SQL_INJECTION"]
    assert set(answers[0]) == {"id", "blocked", "score", "categories", "rules"}


def test_threshold_and_categories() -> None:
    assert not checked(line(id=1, url=ATTACK), "--threshold", "99")[0]["blocked"]
    off = checked(line(id=1, url=ATTACK), "--disable", "SQL_INJECTION", "--disable", "XSS_ATTACKS")[0]
    assert (off["blocked"], off["score"]) == (False, 0)
    refused = CliRunner().invoke(main, ["waf", "check", "--disable", "NONSENSE"])
    assert refused.exit_code == 2
    assert "NONSENSE is not a category" in refused.stderr


@pytest.mark.parametrize(
    "broken",
    [
        b"nonsense", b"[]", b"5", b'"x"', b"{}", b'{"id":1}', b'{"id":1,"url":5}', b'{"id":1,"url":"/","headers":[1]}',
        b'{"id":1,"url":"/","headers":{"a":1}}', b'{"id":1,"url":"/","method":null}', b"\xff\xfe", b"\x00",
        b"[" * 200_000, b'{"id":' + b"9" * 10_000 + b"}", b'{"url":"' + b"a" * (17 << 20),
    ],
    ids=range(15),
)  # fmt: skip
def test_a_broken_line_is_answered_and_the_next_as_well(broken: bytes) -> None:
    first, second = checked(broken + b"\n" + line(id="next", url=ATTACK))
    assert first["error"]
    assert not first["blocked"]
    assert (second["id"], second["blocked"]) == ("next", True)


def test_odd_bytes_are_no_error() -> None:
    answers = checked(
        b'{"id":"\\ud800","url":"/\xff\xc0\xaf?q=\\udfff"}\n{"id":null,"url":""}\n\n  \n{"id":{"a":[1]},"url":"x"}'
    )
    assert [answer["id"] for answer in answers] == ["\ud800", None, {"a": [1]}]
    assert not [answer for answer in answers if "error" in answer]


def test_own_rules_count(instance: Path) -> None:
    (instance / "waf_rules.toml").write_text("[[rules]]\nid = 'own'\ntargets = ['path']\npattern = '^/mine$'\n")
    assert checked(line(id=1, url="http://a.test/mine"))[0]["rules"] == ["own"]
