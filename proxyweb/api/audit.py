"""Who did what."""

from __future__ import annotations

from typing import Annotated

from apiflask import APIBlueprint
from flask import Response

from proxyweb.api import context
from proxyweb.api.answers import Page, Shape
from proxyweb.api.binding import answers, query
from proxyweb.api.conditional import conditional
from proxyweb.api.envelope import success
from proxyweb.api.parameters import Query, Whole
from proxyweb.api.times import written
from proxyweb.privacy import mask_address, mask_network
from proxyweb.queries.audit import audit_page

blueprint = APIBlueprint("audit", __name__, tag="Audit log")

OF_ADDRESSES = {"address blacklisted", "address taken off the blacklist"}


class AuditQuery(Query):
    """Which part of the audit log."""

    limit: Annotated[int, Whole(1, 200)] = 50
    offset: Annotated[int, Whole()] = 0


class AuditEntry(Shape):
    """One thing that was done; `source_ip` is empty for what was done by a command on the server."""

    id: int
    username: str
    action: str
    target: str
    details: str
    timestamp: str
    source_ip: str


@blueprint.get("/api/audit-log")
@conditional("audit")
@query(AuditQuery)
@answers(Page[AuditEntry])
def audit_log(parameters: AuditQuery) -> Response:
    """What users did, newest first."""
    with context.reading() as conn:
        total, entries = audit_page(conn, parameters.limit, parameters.offset)
    for entry in entries:
        entry["timestamp"] = written(entry.pop("at"))
        if context.gdpr():
            entry["source_ip"] = mask_address(entry["source_ip"])
            if entry["action"] in OF_ADDRESSES:
                entry["target"] = mask_network(entry["target"])
    return success(entries, total=total, limit=parameters.limit, offset=parameters.offset)
