"""Requests in the log, and their ids."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from apiflask import APIFlask

from proxyweb.api.observation import identifier_of
from tests.clients import anonymous, basic, signed_in
from tests.conftest import VIEWER_PASSWORD


def test_a_line_a_request_where_it_is_asked_for(
    make_app: Callable[..., APIFlask], caplog: pytest.LogCaptureFixture
) -> None:
    viewer = basic("viewer", VIEWER_PASSWORD)
    for said, lines in (("", 0), ("no", 0), ("yes", 2)):
        caplog.clear()
        app = make_app(LOG_REQUESTS=said)
        for client, query in ((signed_in(app, viewer), "?limit=canary"), (anonymous(app), "?canary=1")):
            client.get(f"/api/clients/192.0.2.77/details{query}", buffered=True)
        told = [record.getMessage() for record in caplog.records if record.name == "proxyweb.requests"]
        assert len(told) == lines
        assert not [line for line in told if "canary" in line or "192.0.2.77" in line]
    by_viewer, by_nobody = (re.sub(r"[0-9.]+ ms", "N ms", line) for line in told)
    assert by_viewer == "GET /api/clients/<ip>/details 400 in N ms, viewer from 127.0.0.1"
    assert by_nobody == "GET /api/clients/<ip>/details 401 in N ms, nobody from 127.0.0.1"


@pytest.mark.parametrize("sane", ["01234567", "a" * 64, "0af7651916cd43dd8448eb211c80319c", "A-b_c.d1"])
def test_an_id_that_is_one_is_kept(sane: str) -> None:
    assert identifier_of(sane) == sane


@pytest.mark.parametrize(
    "insane", ["", "short12", "a" * 65, "with blanks", "line\nends1", "quote\"s'{}", "ünïcödés1", "12345678\n"]
)
def test_another_is_made_anew_each_time(insane: str) -> None:
    made = {identifier_of(insane) for _ in range(20)}
    assert len(made) == 20
    assert all(re.fullmatch(r"[0-9a-f]{16}", each) for each in made)
