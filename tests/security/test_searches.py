"""Searches read every row: a user may have so much of them, and nobody else is kept from anything."""

from __future__ import annotations

import time
from collections.abc import Callable

from apiflask import APIFlask

from proxyweb.api.context import core_of
from tests.clients import basic, signed_in
from tests.conftest import ADMIN_PASSWORD, VIEWER_PASSWORD


def test_a_user_may_have_searched_so_long_in_a_minute(make_app: Callable[..., APIFlask]) -> None:
    app = make_app(SEARCH_SECONDS_PER_MINUTE="1")
    viewer, admin = signed_in(app, basic("viewer", VIEWER_PASSWORD)), signed_in(app, basic("admin", ADMIN_PASSWORD))
    assert [viewer.get(f"/api/logs?search=photo{number}").status_code for number in range(50)] == [200] * 50
    with core_of(app).searches.spending("viewer"):  # as long as a search of ten million rows takes
        time.sleep(1.2)
    refused = viewer.get("/api/logs?search=photo")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "searching" in refused.json["detail"]
    assert viewer.get("/api/logs").status_code == 200
    assert admin.get("/api/logs?search=photo").status_code == 200
