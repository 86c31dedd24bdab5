"""Users: the first admin, adding, removing, changing a password. There is always an admin left."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from proxyweb.accounts import passwords
from proxyweb.accounts.tokens import revoke_user
from proxyweb.db.database import advance
from proxyweb.db.session import driver
from proxyweb.errors import Conflict, Invalid, NotFound
from proxyweb.models import User

ROLES = ("admin", "viewer")
LONGEST_NAME = 64


class Listed(NamedTuple):
    """A user as a list shows one. Times are Unix seconds."""

    username: str
    role: str
    created_at: int
    password_changed_at: int


def check_name(username: str) -> None:
    """Raise Invalid unless `username` may be one. HTTP Basic ends a name at the first colon."""
    if not 1 <= len(username) <= LONGEST_NAME or not username.isprintable() or username != username.strip():
        raise Invalid([("username", f"must be 1 to {LONGEST_NAME} printable characters without spaces around them")])
    if ":" in username:
        raise Invalid([("username", "can't hold a colon")])


def first_admin(session: Session, username: str, password: str | None, now: float) -> str | None:
    """Make the first admin when there is no user at all. Returns the password when it had to be generated, just once.

    Of several processes that try, the one that gets the write lock first makes it.
    """
    if session.scalar(select(func.count()).select_from(User)):
        return None
    chosen = password or passwords.generated()
    add(session, username, chosen, "admin", now, generated=password is None)
    return None if password else chosen


def add(session: Session, username: str, password: str, role: str, now: float, *, generated: bool = False) -> None:
    """Raises Invalid for a name or password that can't be one, Conflict when the name is taken."""
    check_name(username)
    passwords.check(password)
    if role not in ROLES:
        raise Invalid([("role", f"must be one of {', '.join(ROLES)}")])
    if role != "admin" and not session.scalar(select(func.count()).select_from(User)):
        raise Conflict("The first user has to be an admin.")
    if _find(session, username) is not None:
        raise Conflict(f"There is a user {username} already; choose another name.")
    session.add(
        User(
            username=username,
            password_hash=passwords.hashed(password),
            role=role,
            password_generated=generated,
            created_at=int(now),
            password_changed_at=int(now),
        )
    )
    advance(driver(session), "accounts")


def set_password(session: Session, username: str, password: str, now: float, field: str = "password") -> None:
    """A new password for `username`; every token of theirs is revoked. Raises Invalid, NotFound."""
    passwords.check(password, field)
    user = _existing(session, username)
    user.password_hash = passwords.hashed(password)
    user.password_generated = False
    user.password_changed_at = int(now)
    revoke_user(session, user.id, now)


def remove(session: Session, username: str) -> None:
    """Remove a user and what they hold. Raises NotFound; Conflict for the last admin."""
    user = _existing(session, username)
    admins = select(func.count()).select_from(User).where(User.role == "admin")
    if user.role == "admin" and session.scalar(admins) == 1:
        raise Conflict(f"{username} is the last admin; add another one first.")
    session.delete(user)
    advance(driver(session), "accounts")


def listed(conn: sqlite3.Connection) -> list[Listed]:
    """Every user, by name."""
    rows = conn.execute("SELECT username, role, created_at, password_changed_at FROM users ORDER BY username")
    return [Listed(*row) for row in rows]


def _find(session: Session, username: str) -> User | None:
    return session.scalar(select(User).where(User.username == username))


def _existing(session: Session, username: str) -> User:
    user = _find(session, username)
    if user is None:
        raise NotFound(f"There is no user {username}.")
    return user
