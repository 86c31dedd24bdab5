"""Access, refresh and session tokens: JWT signed with HS256, each recorded by its `jti` so that it can be revoked.

What one login leads to is a family. A refresh token is good for one use; used again, the whole family is revoked,
since one of the two who used it has stolen it. A session is the one token of its family; browsers keep it in a cookie.
"""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jwt
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from proxyweb import audit
from proxyweb.accounts.identity import Identity
from proxyweb.db.database import advance
from proxyweb.db.session import driver
from proxyweb.models import Token, User

ALGORITHM = "HS256"
CLAIMS = ("sub", "iat", "exp", "jti", "type")
LEEWAY_SECONDS = 30
_decoder = jwt.PyJWT()


class Pair(NamedTuple):
    """What a login or a refresh hands out; `expires_in` is the access token's, in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True)
class Issuer:
    """The signing key and how long tokens last, in seconds."""

    key: bytes = field(repr=False)
    access_seconds: int
    refresh_seconds: int
    session_seconds: int

    def issue(self, session: Session, user_id: int, username: str, now: float, family: str | None = None) -> Pair:
        """A new pair, recorded; starts a family unless one is given. Tokens that have expired are forgotten."""
        family = family or secrets.token_hex(16)
        _forget_expired(session, now)
        access = self._sign(session, user_id, username, "access", now, self.access_seconds, family)
        refresh = self._sign(session, user_id, username, "refresh", now, self.refresh_seconds, family)
        return Pair(access, refresh, self.access_seconds)

    def begin_session(self, session: Session, user_id: int, username: str, now: float) -> str:
        """A session token, recorded, in a family of its own."""
        _forget_expired(session, now)
        return self._sign(session, user_id, username, "session", now, self.session_seconds, secrets.token_hex(16))

    def refresh(self, session: Session, token: str, now: float, address: str = "") -> Pair | None:
        """A new pair for a refresh token, which is spent by that; None when it does not hold.

        The transaction must be committed in both cases: a token presented twice revokes its family, and is put into the
        audit log with the `address` that it came from: somebody may have stolen it.
        """
        claims = self.claims(token, "refresh", now)
        if claims is None:
            return None
        found = session.execute(
            select(Token, User.username).join(User, User.id == Token.user_id).where(Token.jti == claims["jti"])
        ).one_or_none()
        if found is None or found.Token.revoked_at is not None or found.Token.type != "refresh":
            return None
        if found.username != claims["sub"]:
            return None
        record: Token = found.Token
        if record.spent_at is not None:
            revoke_family(session, record.family, now)
            audit.record(session, now, found.username, "refresh token used twice", address=address)
            return None
        record.spent_at = int(now)
        return self.issue(session, record.user_id, found.username, now, record.family)

    def claims(self, token: str, kind: str, now: float) -> dict[str, Any] | None:
        """The claims of a token of ours of this type that is not expired; None for any other text."""
        try:
            claims: dict[str, Any] = _decoder.decode(
                token,
                self.key,
                algorithms=[ALGORITHM],
                options={"require": list(CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
        except (jwt.InvalidTokenError, ValueError):
            return None
        times = (claims["iat"], claims["exp"], claims.get("nbf", claims["iat"]))
        if not all(isinstance(time, int) for time in times) or not isinstance(claims["jti"], str):
            return None
        issued, expires, not_before = times
        early = now + LEEWAY_SECONDS < max(issued, not_before)
        return None if early or now >= expires or claims["type"] != kind or "iss" in claims else claims

    def _sign(
        self, session: Session, user_id: int, username: str, kind: str, now: float, seconds: int, family: str
    ) -> str:
        jti, expires_at = secrets.token_hex(16), int(now) + seconds
        session.add(Token(jti=jti, user_id=user_id, family=family, type=kind, expires_at=expires_at))
        claims = {"sub": username, "iat": int(now), "exp": expires_at, "jti": jti, "type": kind}
        return jwt.encode(claims, self.key, algorithm=ALGORITHM)


def holder(conn: sqlite3.Connection, claims: dict[str, Any]) -> Identity | None:
    """Whose access token or session this is by the record of it; None when it is revoked or unknown."""
    row = conn.execute(
        """
        SELECT u.id, u.username, u.role, t.family
        FROM tokens AS t JOIN users AS u ON u.id = t.user_id
        WHERE t.jti = ? AND t.type = ? AND t.revoked_at IS NULL
        """,
        (claims["jti"], claims["type"]),
    ).fetchone()
    return Identity(*row) if row and row[1] == claims["sub"] else None


def revoke_family(session: Session, family: str, now: float) -> None:
    """Revoke everything that one login led to."""
    _revoke(session, Token.family == family, now)


def revoke_user(session: Session, user_id: int, now: float) -> None:
    """Revoke every token of a user."""
    _revoke(session, Token.user_id == user_id, now)


def _forget_expired(session: Session, now: float) -> None:
    session.execute(delete(Token).where(Token.expires_at < int(now) - LEEWAY_SECONDS))


def _revoke(session: Session, which: Any, now: float) -> None:
    session.execute(update(Token).where(which, Token.revoked_at.is_(None)).values(revoked_at=int(now)))
    advance(driver(session), "accounts")
