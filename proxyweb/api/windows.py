"""`window=7d` and what comes of it: the parameter, when it ends, and how an answer says which time it is about."""

from __future__ import annotations

import sqlite3
from typing import Annotated, Literal

from flask import Response
from pydantic import Field

from proxyweb.api import context
from proxyweb.api.parameters import Query
from proxyweb.api.times import written
from proxyweb.queries.windows import Window
from proxyweb.queries.windows import window as window_at

GRAIN = 60
"""Seconds for which an answer about a window stays true while no new rows come; windows end on a full minute."""
WindowName = Literal["1h", "24h", "7d", "30d", "all"]


class WindowQuery(Query):
    """Which time. It ends now and begins on a full hour (`1h`, `24h`) or a full UTC day."""

    window: Annotated[WindowName, Field(description="How far back.")] = "7d"


def ending_now(conn: sqlite3.Connection, name: WindowName) -> Window:
    """The window of that name, up to this minute."""
    return window_at(conn, name, context.now() // GRAIN * GRAIN)


def bounds(window: Window) -> dict[str, str]:
    """`since` and `until`, for answers that are objects."""
    return {"since": written(window.since_ms // 1000), "until": written(window.until_ms // 1000)}


def with_bounds(response: Response, window: Window) -> Response:
    """The same as headers, for answers that are lists."""
    said = bounds(window)
    response.headers["X-Window-Since"] = said["since"]
    response.headers["X-Window-Until"] = said["until"]
    return response
