"""A page of the log in any order: the ids of its rows, found without an index on what is sorted.

- By time: the zones' bounds tell from which moment on there are enough rows; only zones touching that are read.
- By size: the page's rows lie in the zones with the greatest (least) sizes.
- By client, method, status or destination: these take few values, so the values are sorted, and their rows come in the
  order of ids through the posting lists.

Ties are broken by id, in the direction of the order.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from proxyweb.ingest.groups import HOUR_MS
from proxyweb.ingest.postings import SEGMENT_ROWS
from proxyweb.ingest.zones import IN_ZONE, ZONE_BITS
from proxyweb.queries.log_groups import Group, groups
from proxyweb.queries.matches import Segment, ids_in, open_from, segments
from proxyweb.queries.selection import Mask, Selection

Cursor = tuple[Any, int]  # the sort key and the id of the row before the page

_POSTED = 16  # a row that is found through the posting lists takes as long as so many in a scan: 1.5 µs and 0.1 µs
_GATHER_AT_MOST = 20_000  # rows sorted by anything in memory
_ZONED = f"log_zones AS z CROSS JOIN proxy_logs AS l ON {IN_ZONE}"
_EARLIEST, _LATEST = 0, 1 << 62


@dataclass(frozen=True)
class PageRequest:
    """Which rows, in which order: `sort` is time, bytes, client, method, status or destination."""

    selection: Selection
    total: int
    sort: str = "time"
    descending: bool = True
    limit: int = 100
    offset: int = 0
    cursor: Cursor | None = None
    mask_client: Mask | None = None

    @property
    def need(self) -> int:
        return self.offset + self.limit

    @property
    def direction(self) -> str:
        return "DESC" if self.descending else "ASC"


def page(conn: sqlite3.Connection, request: PageRequest) -> list[tuple[Any, int]]:
    """`(sort key, id)` of the rows on a page, in order."""
    if not request.total or request.offset >= request.total:
        return []
    if request.sort == "time":
        return _by_time(conn, request)
    if request.sort == "bytes" and request.selection.everything and request.cursor is None and request.need < 5000:
        return _by_extreme_sizes(conn, request)
    if request.sort == "bytes":
        return _sorted_scan(conn, request)
    return _by_groups(conn, request)


# By time


def _by_time(conn: sqlite3.Connection, request: PageRequest) -> list[tuple[Any, int]]:
    selection = request.selection
    if selection.after_id is None and selection.search is None and not selection.values:
        return _all_by_time(conn, request)
    rows_in_time = _rows_in_hours(conn, selection) or 1
    scan_at_most = _cost_through_postings(request, rows_in_time)
    rows = max(2 * request.need * rows_in_time // request.total, 2048)
    while rows <= scan_at_most or not selection.values:
        bound = _time_bound(conn, request, rows)
        found = _time_window(conn, request, bound, request.offset)
        if len(found) == request.limit or bound is None:
            return found
        rows *= 8
    return _by_time_through_postings(conn, request)


def _rows_in_hours(conn: sqlite3.Connection, selection: Selection) -> int:
    """How many rows there are in the hours that a selection's range of time touches."""
    first = 0 if selection.since_ms is None else selection.since_ms // HOUR_MS
    last = _LATEST if selection.until_ms is None else selection.until_ms // HOUR_MS
    counted = "SELECT coalesce(sum(requests), 0) FROM hourly_requests WHERE hour BETWEEN ? AND ?"
    return int(conn.execute(counted, (first, last)).fetchone()[0])


def _cost_through_postings(request: PageRequest, rows_in_time: int) -> int:
    """What a page by time takes through the posting lists, in rows of a scan: the open segment is scanned, and each
    other one gives all of its rows, of which the last few are more than the page needs."""
    in_a_segment = SEGMENT_ROWS * request.total // rows_in_time
    return SEGMENT_ROWS + _POSTED * (request.need + in_a_segment)


def _all_by_time(conn: sqlite3.Connection, request: PageRequest) -> list[tuple[Any, int]]:
    """Rows without a filter but time: a deep offset first jumps over whole hours by the rollup."""
    offset = request.offset
    if offset > 2000 and request.cursor is None and not request.selection.timed:
        request, offset = _past_hours(conn, request)
    rows = offset + request.limit
    while True:
        bound = _time_bound(conn, request, rows)
        found = _time_window(conn, request, bound, offset)
        if len(found) == request.limit or bound is None:
            return found
        rows *= 8


def _past_hours(conn: sqlite3.Connection, request: PageRequest) -> tuple[PageRequest, int]:
    """The request narrowed to begin with the hour in which its offset falls, and what is left of the offset."""
    past = 0
    for hour, requests in conn.execute(f"SELECT hour, requests FROM hourly_requests ORDER BY hour {request.direction}"):
        if past + requests > request.offset:
            if request.descending:
                selection = replace(request.selection, until_ms=(hour + 1) * HOUR_MS)
            else:
                selection = replace(request.selection, since_ms=hour * HOUR_MS)
            return replace(request, selection=selection), request.offset - past
        past += requests
    return request, request.offset


def _limits(request: PageRequest) -> tuple[int, int]:
    """The range of time, its end excluded, in which the page's rows must lie."""
    since = _EARLIEST if request.selection.since_ms is None else request.selection.since_ms
    until = _LATEST if request.selection.until_ms is None else request.selection.until_ms
    if request.cursor is not None:
        moment = int(request.cursor[0])
        since, until = (since, min(until, moment + 1)) if request.descending else (max(since, moment), until)
    return since, until


def _time_bound(conn: sqlite3.Connection, request: PageRequest, rows: int) -> int | None:
    """A moment with at least `rows` rows between it and the end where the page begins; None when there is none.

    Zones that lie wholly behind the moment hold rows only behind it, so their counts can be added up.
    """
    since, until = _limits(request)
    if request.descending:
        sql = "SELECT min_ms, max_ms, rows FROM log_zones WHERE min_ms >= ? AND min_ms < ? ORDER BY min_ms DESC"
    else:
        sql = "SELECT max_ms, min_ms, rows FROM log_zones WHERE max_ms < ?2 AND max_ms >= ?1 ORDER BY max_ms"
    inner_until = until - 1 if request.cursor is not None and request.descending else until
    inner_since = since + 1 if request.cursor is not None and not request.descending else since
    for bound, other, count in conn.execute(sql, (since, until)):
        if (other < inner_until) if request.descending else (other >= inner_since):
            rows -= count
            if rows <= 0:
                return int(bound)
    return None


def _time_window(
    conn: sqlite3.Connection, request: PageRequest, bound: int | None, offset: int
) -> list[tuple[Any, int]]:  # fmt: skip
    """The page's rows among those between the bound and the end where it begins."""
    since, until = _limits(request)
    if bound is not None:
        since, until = (max(since, bound), until) if request.descending else (since, min(until, bound + 1))
    condition, arguments = replace(request.selection, since_ms=since, until_ms=until).where()
    condition += f" AND z.{'max_ms >= :since_ms' if request.descending else 'min_ms < :until_ms'}"
    condition += f" AND z.{'min_ms < :until_ms' if request.descending else 'max_ms >= :since_ms'}"
    if request.selection.after_id is not None:
        condition += f" AND z.zone >= :after_id >> {ZONE_BITS}"
    condition += _behind_cursor("l.time_ms", request, arguments)
    return _pairs(
        conn,
        f"SELECT l.time_ms AS key, l.id AS id FROM {_ZONED} WHERE {condition}"
        f" ORDER BY key {request.direction}, id {request.direction} LIMIT :limit OFFSET :offset",
        {**arguments, "limit": request.limit, "offset": offset},
    )


def _by_time_through_postings(conn: sqlite3.Connection, request: PageRequest) -> list[tuple[Any, int]]:
    since, until = _limits(request)
    selection = replace(request.selection, since_ms=since, until_ms=until)
    still_open = open_from(conn)
    touched = [segment for segment in segments(conn) if segment.overlaps(selection)]
    touched.sort(key=lambda segment: -segment.max_ms if request.descending else segment.min_ms)
    found: list[tuple[Any, int]] = []
    for segment in touched:
        if len(found) >= request.need:
            last = found[request.need - 1][0]
            if (last > segment.max_ms) if request.descending else (last < segment.min_ms):
                break
        ids = ids_in(conn, segment, selection, segment.first_id >= still_open)
        found += _keyed(conn, "l.time_ms", ids, request)
        found.sort(reverse=request.descending)
        del found[request.need :]
    return found[request.offset :]


# By size


def _by_extreme_sizes(conn: sqlite3.Connection, request: PageRequest) -> list[tuple[Any, int]]:
    """The first n rows by size are in the first n zones by greatest (least) size: each of these holds one as good."""
    bound = "max_bytes" if request.descending else "min_bytes"
    return _pairs(
        conn,
        f"SELECT l.bytes AS key, l.id AS id FROM (SELECT zone FROM log_zones ORDER BY {bound} {request.direction},"
        f" zone {request.direction} LIMIT :need) AS z CROSS JOIN proxy_logs AS l"
        f" ON {IN_ZONE}"
        f" ORDER BY key {request.direction}, id {request.direction} LIMIT :limit OFFSET :offset",
        {"need": request.need, "limit": request.limit, "offset": request.offset},
    )


def _sorted_scan(conn: sqlite3.Connection, request: PageRequest) -> list[tuple[Any, int]]:
    if request.total <= _GATHER_AT_MOST and request.selection.values:
        return _gathered(conn, request, "l.bytes")[request.offset : request.need]
    condition, arguments = request.selection.where()
    condition += _behind_cursor("l.bytes", request, arguments)
    return _pairs(
        conn,
        f"SELECT l.bytes AS key, l.id AS id FROM proxy_logs AS l WHERE {condition}"
        f" ORDER BY key {request.direction}, id {request.direction} LIMIT :limit OFFSET :offset",
        {**arguments, "limit": request.limit, "offset": request.offset},
    )


# By what takes few values


def _by_groups(conn: sqlite3.Connection, request: PageRequest) -> list[tuple[Any, int]]:
    ordered = groups(conn, request.sort, request.descending, request.cursor, request.mask_client)
    if request.total <= _GATHER_AT_MOST and not request.selection.everything:
        return _gathered_groups(conn, request, ordered)
    still_open, all_segments = open_from(conn), segments(conn)
    if request.descending:
        all_segments.reverse()
    found: list[tuple[Any, int]] = []
    for group in ordered:
        selection = group.narrow(request.selection)
        if selection is None:
            continue
        for key, row_id in _group_rows(conn, request, group, selection, all_segments, still_open):
            if request.cursor is None or _behind((key, row_id), request):
                found.append((key, row_id))
                if len(found) == request.need:
                    return found[request.offset :]
    return found[request.offset :]


def _group_rows(
    conn: sqlite3.Connection, request: PageRequest, group: Group, selection: Selection, all_segments: list[Segment],
    still_open: int,
) -> Iterator[tuple[Any, int]]:  # fmt: skip
    """A group's rows in order: by id, or for a site by what follows its prefix and then by id."""
    parts = (
        ids_in(conn, segment, selection, segment.first_id >= still_open)
        for segment in all_segments
        if segment.overlaps(selection)
    )
    if group.site is None:
        for ids in parts:
            yield from ((group.key, row_id) for row_id in (reversed(ids) if request.descending else ids))
        return
    ids = [row_id for part in parts for row_id in part]
    yield from _pairs(
        conn,
        "SELECT :prefix || l.rest AS key, l.id AS id"
        " FROM json_each(:ids) AS j CROSS JOIN proxy_logs AS l ON l.id = j.value"
        f" WHERE l.site_id = :site ORDER BY l.rest {request.direction}, l.id {request.direction}",
        {"prefix": group.key, "ids": json.dumps(ids), "site": group.site},
    )


def _gathered_groups(
    conn: sqlite3.Connection, request: PageRequest, ordered: Iterator[Group]
) -> list[tuple[Any, int]]:  # fmt: skip
    """Few rows: all of them, sorted by their group's place."""
    if request.sort == "destination":
        found = _gathered(conn, request, "(SELECT prefix FROM sites WHERE id = l.site_id) || l.rest")
    else:
        column = "client_id" if request.sort == "client" else "kind_id"
        places = {value: group for group in ordered for value in group.values}
        rows = [
            (places[value], row_id)
            for value, row_id in _gathered(conn, request, f"l.{column}", sort=False)
            if value in places
        ]
        rows.sort(key=lambda row: (row[0].place, row[1]), reverse=request.descending)
        found = [(group.key, row_id) for group, row_id in rows]
    behind = found if request.cursor is None else [row for row in found if _behind(row, request)]
    return behind[request.offset : request.need]


def _behind(row: tuple[Any, int], request: PageRequest) -> bool:
    """Whether a row of the cursor's group or a later one stands behind the cursor. Groups before are not asked for."""
    assert request.cursor is not None
    key, row_id = request.cursor
    if row[0] != key and request.sort != "destination":
        return True
    return row < (key, row_id) if request.descending else row > (key, row_id)


def _gathered(
    conn: sqlite3.Connection, request: PageRequest, key: str, sort: bool = True
) -> list[tuple[Any, int]]:  # fmt: skip
    if request.selection.values:
        still_open = open_from(conn)
        ids = [
            row_id
            for segment in segments(conn)
            if segment.overlaps(request.selection)
            for row_id in ids_in(conn, segment, request.selection, segment.first_id >= still_open)
        ]
    else:
        condition, arguments = request.selection.where()
        ids = [row_id for (row_id,) in conn.execute(f"SELECT l.id FROM proxy_logs AS l WHERE {condition}", arguments)]
    found = _keyed(conn, key, ids, request if sort and request.sort == "bytes" else None)
    if sort:
        found.sort(reverse=request.descending)
    return found


def _keyed(
    conn: sqlite3.Connection, key: str, ids: list[int], request: PageRequest | None
) -> list[tuple[Any, int]]:  # fmt: skip
    """`(key, id)` of rows, those behind the request's cursor."""
    arguments: dict[str, Any] = {}
    condition = "1" + (_behind_cursor(key, request, arguments) if request is not None else "")
    return _pairs(
        conn,
        f"SELECT {key} AS key, l.id AS id FROM json_each(:ids) AS j CROSS JOIN proxy_logs AS l ON l.id = j.value"
        f" WHERE {condition}",
        {**arguments, "ids": json.dumps(ids)},
    )


def _behind_cursor(key: str, request: PageRequest, arguments: dict[str, Any]) -> str:
    """The condition that a row stands behind the request's cursor, if it has one; its arguments are added."""
    if request.cursor is None:
        return ""
    arguments["cursor_key"], arguments["cursor_id"] = request.cursor
    return f" AND ({key}, l.id) {'<' if request.descending else '>'} (:cursor_key, :cursor_id)"


def _pairs(conn: sqlite3.Connection, sql: str, arguments: dict[str, Any]) -> list[tuple[Any, int]]:
    """Rows of `key` and `id` as one JSON text: see `log_rows.rows_by_id`."""
    text = conn.execute(f"SELECT json_group_array(json_array(key, id)) FROM ({sql})", arguments).fetchone()[0]
    return [(key, row_id) for key, row_id in json.loads(text)]
