"""What the security score is held against: the traffic of the last 24 hours, and whether a password is still the
generated one."""

from __future__ import annotations

import sqlite3

from proxyweb.score import Traffic

HOURS = 24
_FIGURES = """
    SELECT coalesce(sum(requests), 0), coalesce(sum(policy + waf + terminated), 0), coalesce(sum(auth), 0),
           coalesce(sum(ip_passed), 0), coalesce(sum(opaque), 0)
    FROM hourly_requests WHERE hour BETWEEN ? AND ?
"""


def last_day(conn: sqlite3.Connection, last_hour: int) -> Traffic:
    """The 24 hours that end with `last_hour`, the current one, as the timeline has them.

    Hours are Unix seconds divided by 3,600.
    """
    return Traffic(*conn.execute(_FIGURES, (last_hour - HOURS + 1, last_hour)).fetchone())


def is_password_generated(conn: sqlite3.Connection) -> bool:
    """Whether an admin still has the password that was generated for them."""
    found = conn.execute("SELECT EXISTS (SELECT 1 FROM users WHERE role = 'admin' AND password_generated)").fetchone()
    return bool(found[0])
