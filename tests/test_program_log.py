"""The program's log as JSON: whatever is in a message, it is one object on one line."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyweb.program_log import FIELDS, JsonLine, request_id


def line(message: str, *values: object, **more: Any) -> str:
    record = logging.LogRecord("proxyweb.test", logging.WARNING, __file__, 1, message, values, more.pop("error", None))
    record.created = 1_770_000_000.25
    for name, value in more.items():
        setattr(record, name, value)
    return JsonLine().format(record)


@pytest.fixture(autouse=True)
def no_request() -> None:
    """Other tests leave answers half read, which a server does not."""
    request_id.set(None)


def test_the_fields() -> None:
    assert json.loads(line("failed login of %s", "admin")) == {
        "time": "2026-02-02T02:40:00.250Z",
        "level": "warning",
        "logger": "proxyweb.test",
        "message": "failed login of admin",
    }
    said = json.loads(line("GET", fields={"status": 200, "user": None}))
    assert (said["status"], said["user"]) == (200, None)
    assert FIELDS == "fields"


def test_what_is_said_while_a_request_is_answered_has_its_id() -> None:
    request_id.set("abcdef01")
    try:
        assert json.loads(line("x"))["request_id"] == "abcdef01"
    finally:
        request_id.set(None)
    assert "request_id" not in json.loads(line("x"))


def test_a_traceback_stays_in_its_line() -> None:
    try:
        raise ValueError("one\ntwo\u2028three")
    except ValueError:
        said = line("failed", error=sys.exc_info())
    assert said.isascii()
    assert "\n" not in said
    assert json.loads(said)["exception"].startswith("Traceback (most recent call last):\n")


@given(st.text() | st.text('\n\r\0\x1b\x7f\x85\u2028\u2029\u202e\ud800"\\{}'), st.text())
def test_any_text_is_one_line_and_comes_back(message: str, user: str) -> None:
    said = line("%s", message, fields={"user": user})
    assert said.isascii()
    assert said.isprintable()
    assert (json.loads(said)["message"], json.loads(said)["user"]) == (message[:4000], user)


def test_what_nobody_caught_is_told_in_its_line() -> None:
    code = """
import threading
from proxyweb.program_log import configure_log
configure_log("info", "json")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
raise ValueError("one\\ntwo")
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    in_thread, in_main = (json.loads(line) for line in ended.stderr.splitlines())
    assert (in_thread["level"], in_main["level"]) == ("critical", "critical")
    assert "ZeroDivisionError" in in_thread["exception"]
    assert in_main["exception"].endswith("ValueError: one\ntwo")


def run(tmp_path: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    given = {"INSTANCE": str(tmp_path / "instance"), "ACCESS_LOG": "", **variables}
    return subprocess.run(
        [sys.executable, "-m", "proxyweb", *words],
        env={**os.environ, **{f"PROXYWEB_{name}": value for name, value in given.items()}},
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip


def test_what_ends_a_program_that_runs_for_ever_is_told_in_its_form(tmp_path: Path) -> None:
    for words, variables in (
        (("follow",), {}),
        (("serve",), {"THREADS": "none"}),
        (("serve",), {"BIND": "192.0.2.1:5001"}),
    ):
        ended = run(tmp_path, *words, LOG_FORMAT="json", **variables)
        assert (ended.returncode, ended.stdout) == (1, "")
        said = json.loads(ended.stderr)
        assert (said["level"], said["logger"]) == ("error", "proxyweb.start")
        assert re.search(r"There is no log|PROXYWEB_THREADS must|Can't listen", said["message"])
        assert ended.stderr.count("\n") == 1
    assert run(tmp_path, "follow").stderr.startswith("proxyweb: There is no log to follow")
    assert run(tmp_path, "check", LOG_FORMAT="json", THREADS="none").stderr.startswith("proxyweb: PROXYWEB_THREADS")
