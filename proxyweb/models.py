"""Accounts and settings as Flask-SQLAlchemy models. The log's own tables and the audit log are plain SQL.

A session is opened only by what changes something, so each of its transactions begins with BEGIN IMMEDIATE: it waits
for the write lock at its start instead of failing in its middle. What every request has to ask (who is this, which
settings hold) is asked by `queries/` on the thread's reader connection.
"""

from __future__ import annotations

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The declarative base; the tables themselves are made by migrations."""


db = SQLAlchemy(model_class=Base)


class User(Base):
    """Someone who may sign in. Times are Unix seconds."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str]
    password_hash: Mapped[str]
    role: Mapped[str]
    password_generated: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[int]
    password_changed_at: Mapped[int]


class Token(Base):
    """An issued token, by its `jti`. A refresh token is spent once; a family is what one login led to."""

    __tablename__ = "tokens"

    jti: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    family: Mapped[str]
    type: Mapped[str]
    expires_at: Mapped[int]
    spent_at: Mapped[int | None]
    revoked_at: Mapped[int | None]


class LoginFailure(Base):
    """A failed login, kept for the length of the window."""

    __tablename__ = "login_failures"

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str]
    failed_at: Mapped[int]


class Setting(Base):
    """A setting that an admin changed; what is not here has its default (`settings.py`)."""

    __tablename__ = "settings"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
