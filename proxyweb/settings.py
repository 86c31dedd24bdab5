"""The settings that admins change while the program runs, each with its type and range. Kept as text.

They are changed by `setting_changes.py`; reading them needs nothing but a connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from proxyweb.setting_texts import domains, extensions, working_hours

Value = bool | int | str
MODES = ("block", "detect")
FAILURES = ("open", "closed")
TRUTHS = {"true": True, "false": False}
RISKY = "exe,msi,msp,msix,appx,scr,pif,cpl,bat,cmd,ps1,vbs,vbe,jse,wsf,wsh,hta,lnk,reg,jar"
"""What runs on a click on Windows, `.jar` anywhere. Not `js`, of which the web is made, nor `com`, which ends names."""


@dataclass(frozen=True)
class Declared:
    """One setting. Its default says its type: a bool, an int from `low` to `high`, one of `choices`, or a text.

    A text is kept as `form` gives it, which raises ValueError on what it can't be.
    """

    name: str
    default: Value
    purpose: str
    low: int = 0
    high: int = 0
    choices: tuple[str, ...] = ()
    form: Callable[[str], str] | None = None

    def parse(self, value: object) -> Value:
        """The value for what JSON or the database holds: `true` and `"true"` are the same. Raises ValueError."""
        if isinstance(self.default, bool):
            found = TRUTHS.get(value) if isinstance(value, str) else value
            if not isinstance(found, bool):
                raise ValueError("must be true or false")
            return found
        if self.choices:
            if value not in self.choices:
                raise ValueError(f"must be {' or '.join(self.choices)}")
            return str(value)
        if self.form:
            if not isinstance(value, str):
                raise ValueError("must be text")
            return self.form(value)
        number = int(value) if isinstance(value, str) and _is_digits(value) else value
        if type(number) is not int or not self.low <= number <= self.high:
            raise ValueError(f"must be a whole number from {self.low} to {self.high}")
        return number


SETTINGS = (
    Declared("log_retention_days", 30, "How many days of the log clear-old keeps.", 1, 3650),
    Declared(
        "max_database_mb",
        0,
        "The largest the database may be, in MB; the oldest entries go first. 0: any size.",
        0,
        100_000_000,
    ),
    Declared("gdpr_mode", False, "Mask client addresses and user names in everything that leaves the server."),
    Declared("enable_waf", False, "Inspect requests for attacks and data leaks."),
    Declared("waf_mode", "block", "What happens to a request that the WAF finds: block or detect.", choices=MODES),
    Declared("waf_threshold", 5, "The score from which on a request counts as an attack.", 1, 100),
    Declared("waf_on_failure", "open", "What the WAF does when it can't judge: open lets pass.", choices=FAILURES),
    Declared("waf_score_log", False, "Score what the WAF did not judge in the proxy, as the log is read."),
    Declared("ssl_bump_enabled", False, "Filter HTTPS: decrypt it, so that the requests in it can be inspected."),
    Declared("ssl_bump_exceptions", "", "Domains whose HTTPS stays encrypted, separated by commas.", form=domains),
    Declared("enable_domain_blacklist", False, "Block requests to the domains of the domain blacklist."),
    Declared("enable_ip_blacklist", False, "Block requests to the addresses of the IP blacklist."),
    Declared("block_direct_ip", False, "Block requests to literal addresses, which domain rules can't judge."),
    Declared("enable_content_filtering", False, "Block risky file types."),
    Declared("content_filter_extensions", RISKY, "The file types to block, separated by commas.", form=extensions),
    Declared("enable_rate_limiting", False, "Limit how many connections a client may hold at the same time."),
    Declared("rate_limit_connections", 100, "How many connections a client may hold.", 1, 65_535),
    Declared("enable_time_restrictions", False, "Limit the proxy to working hours."),
    Declared("working_hours", "MTWHF 08:00-18:00", "When the proxy may be used, by its own clock.", form=working_hours),
)
BY_NAME = {declared.name: declared for declared in SETTINGS}


def text(value: Value) -> str:
    """A value as it is kept and shown."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def read(conn: sqlite3.Connection) -> dict[str, Value]:
    """Every setting by name: what is stored, else its default. A stored name that is no longer known is passed over."""
    values: dict[str, Value] = {declared.name: declared.default for declared in SETTINGS}
    for name, stored in conn.execute("SELECT name, value FROM settings").fetchall():
        if name in BY_NAME:
            values[name] = BY_NAME[name].parse(stored)
    return values


class Remembered:
    """The settings of one database, read again only when their generation has moved on."""

    def __init__(self) -> None:
        self._last: tuple[int, dict[str, Value]] = (-1, {})

    def at(self, conn: sqlite3.Connection, generation: int) -> Mapping[str, Value]:
        known_at, values = self._last
        if known_at != generation:
            values = read(conn)
            self._last = (generation, values)
        return values


def _is_digits(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 20
