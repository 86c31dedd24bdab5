"""Signing in: a password, an access token or a session becomes an Identity, or is refused."""

from __future__ import annotations

import hmac
import logging
import secrets
import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import blake2b

from sqlalchemy.orm import Session

from proxyweb import audit
from proxyweb.accounts import passwords, tokens
from proxyweb.accounts.identity import Identity
from proxyweb.accounts.lockout import Lockout
from proxyweb.accounts.memory import Verdict, Verdicts
from proxyweb.db.database import Database
from proxyweb.errors import Busy, DatabaseError, TooManyAttempts
from proxyweb.escaping import one_line

log = logging.getLogger("proxyweb.accounts")
REMEMBER_SECONDS = 300
STRIPES = 64


class SignIn:
    """Proves credentials. One for an application; safe to share between threads.

    `generation` is that of `accounts`, read before anything else is asked: a verdict found at an older one is void.
    """

    def __init__(
        self,
        database: Database,
        issuer: tokens.Issuer,
        lockout: Lockout,
        writing: Callable[[], AbstractContextManager[Session]],
    ) -> None:
        self.issuer = issuer
        self.lockout = lockout
        self._database = database
        self._writing = writing
        self._key = secrets.token_bytes(32)
        self._by_password = Verdicts()
        self._by_token = Verdicts()
        self._one_at_a_time = [threading.Lock() for _ in range(STRIPES)]

    def with_password(self, username: str, password: str, address: str, now: float, generation: int) -> Identity | None:
        """Who this is; None when name or password is wrong, which is then counted against `address`.

        Raises TooManyAttempts for an address that has to wait, whatever the password.
        """
        self._refuse_waiting(address, now)
        key = hmac.digest(self._key, f"{username}\0{password}".encode(), "sha256")
        remembered = self._by_password.get(key, generation, now)
        if remembered is not None:
            return remembered
        with self._one_at_a_time[hash(address) % STRIPES]:
            self._refuse_waiting(address, now)
            identity = self._prove(username, password)
            if identity is None:
                self._count(username, address, now)
                return None
        self._by_password.put(key, Verdict(identity, now + REMEMBER_SECONDS, generation))
        return identity

    def with_token(self, token: str, now: float, generation: int, kind: str = "access") -> Identity | None:
        """Whose token of this kind this is (`access` or `session`); None when it does not hold."""
        key = blake2b(f"{kind}\0{token}".encode(), key=self._key, digest_size=32).digest()
        remembered = self._by_token.get(key, generation, now)
        if remembered is not None:
            return remembered
        claims = self.issuer.claims(token, kind, now)
        identity = tokens.holder(self._database.reader, claims) if claims else None
        if claims is not None and identity is not None:
            self._by_token.put(key, Verdict(identity, claims["exp"], generation))
        return identity

    def _refuse_waiting(self, address: str, now: float) -> None:
        wait = self.lockout.wait(self._database.reader, address, now)
        if wait is not None:
            raise TooManyAttempts(wait)

    def _prove(self, username: str, password: str) -> Identity | None:
        row = _user(self._database.reader, username)
        if not passwords.verify(row[3] if row else None, password) or row is None:
            return None
        return Identity(row[0], row[1], row[2])

    def _count(self, username: str, address: str, now: float) -> None:
        """Count a failure. When the database is locked the attempt is refused all the same."""
        log.warning("failed login of %s from %s", one_line(username, 64), address)
        try:
            with self._writing() as session:
                wait = self.lockout.count(session, address, now)
                if wait is None and self.lockout.audited(session):
                    audit.record(session, now, username, "login failed", address=address)
        except (Busy, DatabaseError) as error:
            log.error("a failed login could not be counted: %s", error.detail)
            return
        if wait is not None:
            raise TooManyAttempts(wait)


def _user(conn: sqlite3.Connection, username: str) -> tuple[int, str, str, str] | None:
    row: tuple[int, str, str, str] | None = conn.execute(
        "SELECT id, username, role, password_hash FROM users WHERE username = ?", (username,)
    ).fetchone()
    return row
