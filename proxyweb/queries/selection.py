"""Filters of the log, from what people ask for to sets of ids in the dimension tables."""

from __future__ import annotations

import ipaddress
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

Mask = Callable[[str], str]


@dataclass(frozen=True)
class Filters:
    """What may be asked for; all given ones must hold. Times in Unix milliseconds, `until_ms` itself excluded."""

    search: str | None = None
    client: str | None = None
    domain: str | None = None
    method: str | None = None
    status: str | None = None
    blocked: bool | None = None
    reason: str | None = None
    user: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    after_id: int | None = None
    service: str | None = None


@dataclass(frozen=True)
class Selection:
    """Filters, resolved: a row is selected when each dimension's value is in its set, and the rest holds.

    `values` maps a posting list's dimension (client, host, kind, user) to ids.
    """

    values: dict[str, frozenset[int]] = field(default_factory=dict)
    search: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    after_id: int | None = None

    @property
    def everything(self) -> bool:
        return not self.values and self.search is None and self.after_id is None and not self.timed

    @property
    def timed(self) -> bool:
        return self.since_ms is not None or self.until_ms is not None

    @property
    def nothing(self) -> bool:
        """Whether a filter names something that is nowhere in the log."""
        return any(not ids for ids in self.values.values())

    def where(self) -> tuple[str, dict[str, object]]:
        """The condition on a row, and its named arguments."""
        conditions, arguments = ["1"], dict[str, object]()
        for dimension, ids in self.values.items():
            listed = f"(SELECT value FROM json_each(:{dimension}_ids))"
            if dimension == "host":
                conditions.append(f"l.site_id IN (SELECT id FROM sites WHERE host_id IN {listed})")
            else:
                conditions.append(f"l.{dimension}_id IN {listed}")
            arguments[f"{dimension}_ids"] = json.dumps(sorted(ids))
        if self.search is not None:
            condition, more = _substring(self.search)
            conditions.append(condition)
            arguments.update(more)
        if self.since_ms is not None:
            conditions.append("l.time_ms >= :since_ms")
            arguments["since_ms"] = self.since_ms
        if self.until_ms is not None:
            conditions.append("l.time_ms < :until_ms")
            arguments["until_ms"] = self.until_ms
        if self.after_id is not None:
            conditions.append("l.id > :after_id")
            arguments["after_id"] = self.after_id
        return " AND ".join(conditions), arguments


def _substring(text: str) -> tuple[str, dict[str, object]]:
    """Destinations that contain a text, ASCII letters in either case. The text may stand in the prefix, in the rest, or
    across the delimiter between them; sites are looked through once, so that most rows cost no join."""
    conditions = [
        "l.site_id IN (SELECT id FROM sites WHERE prefix LIKE :contains ESCAPE '\\')",
        "l.rest LIKE :contains ESCAPE '\\'",
    ]
    arguments: dict[str, object] = {"contains": f"%{_like(text)}%"}
    for number, cut in enumerate(at + 1 for at, character in enumerate(text[:-1]) if character in "/?#"):
        conditions.append(
            f"l.rest LIKE :begins_{number} ESCAPE '\\'"
            f" AND l.site_id IN (SELECT id FROM sites WHERE prefix LIKE :ends_{number} ESCAPE '\\')"
        )
        arguments[f"ends_{number}"] = f"%{_like(text[:cut])}"
        arguments[f"begins_{number}"] = f"{_like(text[cut:])}%"
    return f"({' OR '.join(f'({condition})' for condition in conditions)})", arguments


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def select(
    conn: sqlite3.Connection, filters: Filters, mask_client: Mask | None = None, mask_user: Mask | None = None
) -> Selection:
    """Resolve filters. With masks, `client` and `user` are compared with what the masks make of each value."""
    values: dict[str, frozenset[int]] = {}
    if filters.client is not None:
        values["client"] = _clients(conn, filters.client, mask_client)
    if filters.domain is not None:
        values["host"] = _hosts(conn, filters.domain)
    if filters.service is not None:
        of_service = _hosts_of_service(conn, filters.service)
        values["host"] = values["host"] & of_service if "host" in values else of_service
    if filters.user is not None:
        values["user"] = _users(conn, filters.user, mask_user)
    if any(value is not None for value in (filters.method, filters.status, filters.blocked, filters.reason)):
        values["kind"] = _kinds(conn, filters)
    after_id = filters.after_id if filters.after_id else None
    return Selection(values, filters.search or None, filters.since_ms, filters.until_ms, after_id)


def _clients(conn: sqlite3.Connection, wanted: str, mask: Mask | None) -> frozenset[int]:
    rows = conn.execute("SELECT id, address FROM clients")
    if mask:
        return frozenset(number for number, address in rows if mask(address) == wanted)
    try:
        network = ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return _ids(conn, "SELECT id FROM clients WHERE address = :wanted COLLATE NOCASE", wanted=wanted)
    if network.num_addresses == 1:
        canonical = str(network.network_address)
        return _ids(
            conn, "SELECT id FROM clients WHERE address IN (:wanted, :canonical)", wanted=wanted, canonical=canonical
        )
    return frozenset(number for number, address in rows if _within(address, network))


def _within(address: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(address) in network
    except ValueError:
        return False


def _hosts(conn: sqlite3.Connection, domain: str) -> frozenset[int]:
    return _ids(
        conn,
        "SELECT id FROM hosts WHERE host = :domain"
        " OR (NOT is_address AND substr(host, -length(:domain) - 1) = '.' || :domain)",
        domain=domain.lower().strip("."),
    )


def _hosts_of_service(conn: sqlite3.Connection, wanted: str) -> frozenset[int]:
    """The hosts that count as a service's, which may be below several domains."""
    return _ids(
        conn,
        "SELECT h.id FROM services AS s JOIN hosts AS h ON h.service_id = s.id AND h.service_id > 0"
        " WHERE s.name = :wanted COLLATE NOCASE",
        wanted=wanted,
    )


def _users(conn: sqlite3.Connection, wanted: str, mask: Mask | None) -> frozenset[int]:
    if mask:
        rows = conn.execute("SELECT id, name FROM users_seen WHERE id")
        return frozenset(number for number, name in rows if mask(name) == wanted)
    return _ids(conn, "SELECT id FROM users_seen WHERE id AND name = :wanted", wanted=wanted)


def _kinds(conn: sqlite3.Connection, filters: Filters) -> frozenset[int]:
    conditions, arguments = ["1"], dict[str, object]()
    if filters.method is not None:
        conditions.append("method = :method COLLATE NOCASE")
        arguments["method"] = filters.method
    if filters.blocked is not None:
        conditions.append("blocked = :blocked")
        arguments["blocked"] = int(filters.blocked)
    if filters.reason is not None:
        conditions.append("reason = :reason")
        arguments["reason"] = filters.reason
    if filters.status is not None:
        status = filters.status
        if status[:1].isdigit() and status[1:] in ("xx", "XX"):
            conditions.append("status_code / 100 = :status AND status_code > 0")
            arguments["status"] = int(status[0])
        elif status.isdigit():
            conditions.append("status_code = :status")
            arguments["status"] = int(status)
        else:
            conditions.append("result_code = :status COLLATE NOCASE")
            arguments["status"] = status
    return _ids(conn, f"SELECT id FROM result_kinds WHERE {' AND '.join(conditions)}", **arguments)


def _ids(conn: sqlite3.Connection, sql: str, **arguments: object) -> frozenset[int]:
    return frozenset(number for (number,) in conn.execute(sql, arguments))
