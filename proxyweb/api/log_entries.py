"""Log entries as the API shows them, and the filters and cursors by which they are asked for."""

from __future__ import annotations

import base64
import binascii
import re
import sqlite3
from collections.abc import Callable
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field

from proxyweb import json_text
from proxyweb.api import context
from proxyweb.api.answers import Shape
from proxyweb.api.parameters import Flag, Instant, Query, Whole
from proxyweb.api.times import written
from proxyweb.errors import Invalid
from proxyweb.privacy import MASKED_USER, is_masked_address, mask_address, mask_mail, mask_user
from proxyweb.queries.log_pages import Cursor
from proxyweb.queries.log_rows import Row, rows_by_id
from proxyweb.queries.selection import Filters, Mask
from proxyweb.secret import derived

STATUS = re.compile(r"[0-9]{3}|[0-9]xx|[A-Za-z][A-Za-z_]{1,63}", re.ASCII)
SORTS = {
    "timestamp": "time",
    "source_ip": "client",
    "client_ip": "client",
    "destination": "destination",
    "status": "status",
    "bytes": "bytes",
    "method": "method",
}
LONGEST_IN_CURSOR = 1000
Text = Annotated[str, Field(min_length=1, max_length=2000)]


class WafMark(Shape):
    """What the WAF noted on a request."""

    score: int
    categories: list[str]


class LogEntry(Shape):
    """One request. `timestamp` in UTC, `bytes` as sent to the client."""

    id: int
    timestamp: str
    client_ip: str
    method: str
    destination: str
    status: str
    bytes: int
    status_code: int
    result_code: str
    blocked: bool
    reason: Literal["policy", "waf", "auth", "origin", "terminated"] | None
    domain: str | None
    elapsed_ms: int
    user: str | None
    content_type: str | None
    user_agent: str | None
    waf: WafMark | None


class LogFilters(Query):
    """Which entries. All that are given must hold."""

    search: Annotated[Text | None, Field(description="Part of the destination; letters in either case.")] = None
    client: Annotated[Text | None, Field(description="An address, or a network such as `10.0.0.0/8`.")] = None
    domain: Annotated[Text | None, Field(description="A host, or anything below it.")] = None
    service: Annotated[Text | None, Field(description="A service of shadow IT, by its name.")] = None
    method: Text | None = None
    status: Annotated[Text | None, Field(description="`403`, `4xx`, or a result code such as `TCP_DENIED`.")] = None
    blocked: Flag | None = None
    reason: Literal["policy", "waf", "auth", "origin", "terminated"] | None = None
    user: Text | None = None
    since: Instant | None = None
    until: Annotated[Instant | None, Field(description="That moment itself excluded.")] = None

    def filters(self, after_id: int | None = None) -> Filters:
        """As the queries take them. Raises Invalid for what no pattern of a type can say."""
        if self.status is not None and not STATUS.fullmatch(self.status):
            raise Invalid([("status", "must be a status such as 403, a class such as 4xx, or a result code")])
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise Invalid([("until", "must be later than since")])
        if context.gdpr():
            _refuse_whole(self.client, self.user, self.search)
        return Filters(
            self.search, self.client, self.domain, self.method, self.status, self.blocked, self.reason, self.user,
            self.since, self.until, after_id, self.service,
        )  # fmt: skip


class LogQuery(LogFilters):
    """Which entries, in which order, and which part of them."""

    limit: Annotated[int, Whole(1, 1000)] = 100
    offset: Annotated[int, Whole()] = 0
    sort: Literal["timestamp", "source_ip", "client_ip", "destination", "status", "bytes", "method"] = "timestamp"
    order: Literal["asc", "desc"] = "desc"
    after_id: Annotated[int | None, Whole()] = None
    cursor: Annotated[str | None, Field(max_length=7_000, description="`next` of the page before.")] = None


def _refuse_whole(client: str | None, user: str | None, search: str | None) -> None:
    """While masking is on, a filter must not tell whether a whole address or name is in the log."""
    if search is not None and mask_mail(search) != search:
        raise Invalid([("search", "can't hold an e-mail address while gdpr_mode is on")])
    if client is not None and not is_masked_address(client):
        raise Invalid([("client", "must be a masked address such as 192.168.1.x while gdpr_mode is on")])
    if user is not None and not MASKED_USER.fullmatch(user):
        raise Invalid([("user", "must be a pseudonym as shown while gdpr_mode is on")])


def masks() -> tuple[Mask | None, Mask | None]:
    """How addresses and user names are masked at present; None where they are shown whole."""
    if not context.gdpr():
        return None, None
    key = derived(context.core().secret, "pseudonyms")
    return (lambda address: mask_address(address, key)), (lambda name: mask_user(name, key))


def shown(rows: list[Row], mask_client: Mask | None, mask_user_name: Mask | None) -> list[dict[str, Any]]:
    """Rows as `LogEntry` objects."""
    client: Callable[[str], str] = mask_client or str
    user: Callable[[str], str] = mask_user_name or str
    return [
        {
            "id": row.id,
            "timestamp": written(row.time_ms // 1000),
            "client_ip": client(row.client),
            "method": row.method,
            "destination": mask_mail(row.destination) if mask_client else row.destination,
            "status": row.status,
            "bytes": row.bytes,
            "status_code": row.status_code,
            "result_code": row.result_code,
            "blocked": bool(row.blocked),
            "reason": row.reason or None,
            "domain": row.host or None,
            "elapsed_ms": row.elapsed_ms,
            "user": user(row.user) if row.user else None,
            "content_type": row.content_type or None,
            "user_agent": row.user_agent or None,
            "waf": {"score": row.waf_score, "categories": row.waf_categories.split(",") if row.waf_categories else []}
            if row.waf_id
            else None,
        }
        for row in rows
    ]


def write_cursor(sort: str, order: str, last: Cursor, gdpr: bool) -> str:
    """The opaque text from which the next page goes on. A destination that is too long for it, or that holds what is
    masked, is left out: `read_cursor` finds it in the log."""
    key, row_id = last
    if sort == "destination" and (len(key) > LONGEST_IN_CURSOR or (gdpr and mask_mail(key) != key)):
        key = None
    return base64.urlsafe_b64encode(orjson.dumps([sort, order, key, row_id])).rstrip(b"=").decode()


def read_cursor(conn: sqlite3.Connection, text: str, sort: str, order: str) -> Cursor:
    """What `write_cursor` wrote, for the same order. Raises Invalid for anything else, and where the destination that
    it stands for is no longer in the log."""
    try:
        made_for, in_order, key, row_id = json_text.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError, binascii.Error):
        raise Invalid([("cursor", "must be the next of an earlier answer")]) from None
    if (made_for, in_order) != (sort, order):
        raise Invalid([("cursor", "belongs to another sort or order")])
    if type(row_id) is int and 0 <= row_id < 1 << 63 and key is None and sort == "destination":
        found = rows_by_id(conn, [row_id])
        if not found:
            raise Invalid([("cursor", "belongs to an entry that was deleted; begin again without it")])
        key = found[0].destination
    if type(row_id) is not int or type(key) is not (int if sort in ("time", "bytes") else str):
        raise Invalid([("cursor", "must be the next of an earlier answer")])
    return key, row_id
