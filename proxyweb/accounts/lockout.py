"""Failed logins: a few from one address, and it has to wait. Kept in the database, so all processes count together.

An address that is locked out adds nothing to the count, so its wait has an end; another address is never affected.
"""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from proxyweb.db.session import driver
from proxyweb.models import LoginFailure

MOST_KEPT = 50_000
MOST_AUDITED = 100


@dataclass(frozen=True)
class Lockout:
    """`attempts` failures within `window` seconds are the limit."""

    attempts: int
    window: int

    def wait(self, conn: sqlite3.Connection, address: str, now: float) -> int | None:
        """How many seconds `address` has to wait; None when it may try."""
        times = conn.execute(
            "SELECT failed_at FROM login_failures WHERE address = ? AND failed_at > ? ORDER BY failed_at DESC LIMIT ?",
            (bucket(address), now - self.window, self.attempts),
        ).fetchall()
        return max(1, math.ceil(times[-1][0] + self.window - now)) if len(times) == self.attempts else None

    def count(self, session: Session, address: str, now: float) -> int | None:
        """Count a failure; the seconds to wait when others have reached the limit meanwhile, else None."""
        wait = self.wait(driver(session), address, now)
        if wait is None:
            session.execute(delete(LoginFailure).where(LoginFailure.failed_at <= now - self.window))
            newest = session.scalar(select(func.max(LoginFailure.id))) or 0
            session.execute(delete(LoginFailure).where(LoginFailure.id <= newest - MOST_KEPT))
            session.add(LoginFailure(address=bucket(address), failed_at=int(now)))
        return wait

    def audited(self, session: Session) -> bool:
        """Whether failures are still few enough to be written to the audit log one by one."""
        return (session.scalar(select(func.count()).select_from(LoginFailure)) or 0) <= MOST_AUDITED


@lru_cache(1024)
def bucket(address: str) -> str:
    """What is counted together: an IPv4 address, or the /64 that one IPv6 subscriber is given."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else address
