"""Typed errors. Each carries its HTTP status; `api/envelope.py` and `cli.py` turn them into what a person reads."""

from __future__ import annotations


class ProxywebError(Exception):
    """Something a person can act on. `detail` is one sentence that says what to do."""

    status = 500

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class ConfigError(ProxywebError):
    """A setting from the environment or the config file is not usable; the start is refused."""


class DatabaseError(ProxywebError):
    """The database file can't be used: missing rights, damaged, not ours, or written by a newer version."""

    status = 503


class Damaged(DatabaseError):
    """Something in the database file is not what was written there."""


class DiskFull(DatabaseError):
    """There is no room for the database to grow."""


class Busy(ProxywebError):
    """The database stayed locked past its time limit."""

    status = 503
    retry_after = 2

    def __init__(self, detail: str = "The database is busy; try again in a moment.") -> None:
        super().__init__(detail)


class NoMemory(Busy):
    """The process, or SQLite in it, was given no more memory; the next one who asks may be."""

    def __init__(self) -> None:
        super().__init__("There is too little memory for that at the moment.")


class QueryTimeout(ProxywebError):
    """A question ran into its time limit."""

    status = 503
    retry_after = 5

    def __init__(self, detail: str = "This took too long; narrow the time range with since and until.") -> None:
        super().__init__(detail)


class BeingCounted(ProxywebError):
    """What was asked for is being counted aside: of how many rows, and about how many seconds that takes."""

    status = 503

    def __init__(self, rows: int, seconds: int) -> None:
        requests = "1 request is" if rows == 1 else f"{rows:,} requests are"
        super().__init__(f"{requests} being counted, which takes about {seconds} s; ask again then.")
        self.retry_after = min(seconds, 5)


class Invalid(ProxywebError):
    """Parameters or a body at fault. `errors` lists `(field, message)`."""

    status = 400

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {message}" for field, message in errors))
        self.errors = errors


class Unauthenticated(ProxywebError):
    """No credentials, or ones that don't hold."""

    status = 401


class Forbidden(ProxywebError):
    """The role may not do this."""

    status = 403


class NotFound(ProxywebError):
    """What was asked for does not exist."""

    status = 404


class Conflict(ProxywebError):
    """It is there already, or changed meanwhile."""

    status = 409


class TooMany(ProxywebError):
    """More than one may ask for in a while; `retry_after` is in seconds."""

    status = 429

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(f"{detail}; try again in {retry_after} seconds.")
        self.retry_after = retry_after


class TooManyAttempts(TooMany):
    """Too many failed logins from one address."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("Too many failed logins from this address", retry_after)
