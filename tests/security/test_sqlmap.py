"""sqlmap finds nothing in any parameter of the API, and finds what is there in a server that was made for it.

All parameters in a soak; otherwise those of a search, whose text and order are nearest to SQL.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests
from flask import Flask, request
from werkzeug.serving import make_server

from tests.clients import basic
from tests.conftest import ADMIN_PASSWORD
from tests.e2e.server import Server
from tests.faults.checking import SOAK

NEAREST = [("/api/logs", "search"), ("/api/logs", "sort")]
VALUES = {
    "search": "photo", "client": "10.0.0.1", "domain": "example.com", "service": "Dropbox", "method": "GET",
    "status": "200", "blocked": "false", "reason": "policy", "user": "alice", "since": "-30d", "until": "-1m",
    "after_id": "7", "cursor": "x",
}  # fmt: skip
DEEP = ["--level=3", "--risk=2", "--dbms=sqlite", "--batch", "--flush-session", "--skip-waf", "--disable-coloring"]
FOUND = "identified the following injection point"
NOT_FOUND = "all tested parameters do not appear to be injectable"


def said_by_sqlmap(url: str, parameters: str, folder: Path, *more: str) -> str:
    program = shutil.which("sqlmap")
    assert program, "the tests need Debian's sqlmap; 'make test' installs it or says how"
    words = [program, "-u", url, "-p", parameters, *DEEP, f"--output-dir={folder}", *more]
    return subprocess.run(words, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL).stdout


def in_document(server: Server) -> list[tuple[str, str]]:
    """Every parameter of a question, with its path."""
    paths = requests.get(f"{server.url}/api/openapi.json", auth=("admin", ADMIN_PASSWORD), timeout=10).json()["paths"]
    return [
        (path.replace("{ip}", "10.0.0.1"), parameter["name"])
        for path, asked in paths.items()
        for parameter in asked.get("get", {}).get("parameters", [])
        if parameter["in"] == "query"
    ]


def test_it_finds_nothing(server: Server, tmp_path: Path) -> None:
    known = in_document(server)
    assert set(NEAREST) < set(known)
    assert len(known) > 50
    for path, name in known if SOAK else NEAREST:
        value = VALUES.get(name, "7d" if name == "window" else "day" if name == "period" else "7")
        value = {"sort": "bytes", "order": "asc", "format": "csv"}.get(name, value)
        url = f"{server.url}{path}?{urlencode({name: value})}"
        said = said_by_sqlmap(url, name, tmp_path, "-H", f"Authorization: {basic('admin', ADMIN_PASSWORD)}")
        assert NOT_FOUND in said, f"{path} {name}: {said}"
        assert FOUND not in said
    assert requests.get(f"{server.url}/api/health", timeout=10).status_code == 200


@pytest.fixture
def careless() -> Iterator[str]:
    """The address of a server that puts a text into its SQL."""

    app = Flask(__name__)

    @app.get("/")
    def found() -> tuple[str, int]:
        with closing(sqlite3.connect(":memory:")) as conn:
            try:
                return str(
                    conn.execute(f"SELECT 'photo' AS name WHERE name = '{request.args['search']}'").fetchall()
                ), 200
            except sqlite3.Error:
                return "[]", 400

    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}/"
    server.shutdown()


def test_it_finds_what_is_there(careless: str, tmp_path: Path) -> None:
    said = said_by_sqlmap(f"{careless}?search=photo", "search", tmp_path, "--technique=BU")
    assert FOUND in said
    assert NOT_FOUND not in said
