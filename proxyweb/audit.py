"""The audit log: who did what, when and from where. Written in the transaction of what it tells about."""

from __future__ import annotations

from sqlalchemy.orm import Session

from proxyweb.audit_chain import Entry, append
from proxyweb.db.session import driver
from proxyweb.escaping import one_line

LONGEST_DETAILS = 1000


def record(
    session: Session,
    now: float,
    username: str,
    action: str,
    *,
    target: str = "",
    details: str = "",
    address: str = "",
) -> None:
    """Append an entry. `now` is Unix seconds; `address` is where the request came from, empty for a command.

    Texts come from outside, so each is kept as one escaped line.
    """
    entry = Entry(
        at=int(now),
        username=one_line(username),
        action=one_line(action),
        target=one_line(target),
        details=one_line(details, LONGEST_DETAILS),
        source_ip=one_line(address),
    )
    append(driver(session), entry)
