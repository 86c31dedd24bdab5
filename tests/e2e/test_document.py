"""A running server answers whatever it is asked as its OpenAPI document says: schemathesis makes up the questions.

Nobody it is asked by can end this: who is admin proves it by HTTP Basic, which signing out leaves alone, wrong
passwords are forgotten after a second, and the log is not cleared, so that there is something to find in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import ADMIN_PASSWORD, VIEWER_PASSWORD
from tests.e2e.program import command
from tests.e2e.server import Server
from tests.faults.checking import SOAK, times
from tests.ingest.factory import START_MS, log, traffic
from tests.test_supervisor import wait_for

ADMIN, VIEWER = ("admin", ADMIN_PASSWORD), ("viewer", VIEWER_PASSWORD)
LINES, STEP_MS = 20_000, 250
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "unsupported_method", "allow_header_conformance",
    "missing_required_header", "ignored_auth",
)  # fmt: skip
CONFIGURATION = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503]  # which tells when to ask again
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 414, 415, 429, 431, 503]
"""
SEED = int(time.time()) if SOAK else 1


@pytest.fixture(scope="module")
def server(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One with the entries of the last hour."""
    folder = tmp_path_factory.mktemp("asked")
    instance, path = Path(shutil.copytree(prepared, folder / "instance")), folder / "access.log"
    until_now = (int(time.time() * 1000) - START_MS) // STEP_MS
    path.write_bytes(log(*traffic(LINES, start=until_now - LINES, step_ms=STEP_MS)))
    os.utime(path, (time.time() - 60,) * 2)
    assert command(instance, path, "import", str(path)).returncode == 0
    server = Server(instance, LOGIN_ATTEMPTS="1000", LOGIN_WINDOW_SECONDS="1", EXPORTS_PER_MINUTE="1000")
    try:
        wait_for(server.healthy, 30)
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("who", "phases", "examples"),
    [(None, "fuzzing", 1), (VIEWER, "fuzzing", 2), (ADMIN, "examples,coverage", 1)],
    ids=["nobody", "viewer", "admin"],
)
def test_answers_are_as_documented(
    who: tuple[str, str] | None, phases: str, examples: int, server: Server, tmp_path: Path
) -> None:
    document = requests.get(f"{server.url}/api/openapi.json", auth=VIEWER, timeout=20)
    (tmp_path / "openapi.json").write_text(document.text)
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    options = {
        "--config-file": tmp_path / "schemathesis.toml", "run": tmp_path / "openapi.json", "--url": server.url,
        "--phases": phases if not SOAK else "examples,coverage,fuzzing", "--checks": ",".join(CHECKS),
        "--max-examples": times(examples, 150), "--seed": SEED, "--exclude-path": "/api/logs/clear",
        "--generation-database": "none", "--warnings": "off",
    }  # fmt: skip
    words = [str(word) for option in options.items() for word in option]
    credentials = ("--auth", ":".join(who)) if who else ()
    said = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", *words, "--continue-on-failure", "--no-shrink", *credentials],
        cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stdout[-5000:] + said.stderr
    operations = sum(map(len, document.json()["paths"].values())) - 1
    assert f"Tested: {operations}\n" in said.stdout
    print(said.stdout.partition("Test cases:")[2])
    answer = requests.get(f"{server.url}/api/logs/stats", auth=VIEWER, timeout=20)
    assert (answer.status_code, answer.json()["data"]["total_count"]) == (200, LINES)
