"""Signing in and out, and changing one's password."""

from __future__ import annotations

from typing import Annotated, Literal

from apiflask import APIBlueprint
from flask import Response
from pydantic import Field

from proxyweb import audit
from proxyweb.accounts import tokens, users
from proxyweb.accounts.tokens import Pair
from proxyweb.api import context
from proxyweb.api.answers import Done, Shape
from proxyweb.api.binding import answers, body
from proxyweb.api.envelope import done, flat
from proxyweb.api.gate import every_role
from proxyweb.api.parameters import Payload
from proxyweb.errors import Invalid, Unauthenticated

blueprint = APIBlueprint("auth", __name__, tag="Authentication")


class Credentials(Payload):
    """A name and its password."""

    username: Annotated[str, Field(max_length=1024)]
    password: str


class RefreshToken(Payload):
    """A refresh token that has not been used yet."""

    refresh_token: Annotated[str, Field(max_length=8192)]


class PasswordChange(Payload):
    """The password one has, and the one to have: 8 to 1024 characters."""

    current_password: str
    new_password: str


class Tokens(Shape):
    """A pair of tokens; `expires_in` is the access token's life in seconds."""

    status: Literal["success"]
    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: int


@blueprint.post("/api/auth/login")
@body(Credentials)
@answers(Tokens)
def login(payload: Credentials) -> Response:
    """Sign in with a name and a password.

    Failures count against the address they come from, together with those of HTTP Basic.
    """
    core, now, address = context.core(), context.now(), context.client_address()
    identity = core.sign_in.with_password(
        payload.username, payload.password, address, now, context.generations()["accounts"]
    )
    if identity is None:
        raise Unauthenticated("Name or password is wrong.")
    with context.writing() as session:
        pair = core.sign_in.issuer.issue(session, identity.user_id, identity.username, now)
        audit.record(session, now, identity.username, "login", address=address)
    return _tokens(pair)


@blueprint.post("/api/auth/refresh")
@body(RefreshToken)
@answers(Tokens)
def refresh(payload: RefreshToken) -> Response:
    """Exchange a refresh token for a new pair.

    It is spent by that; used a second time, it revokes everything that its login led to.
    """
    with context.writing() as session:
        issuer = context.core().sign_in.issuer
        pair = issuer.refresh(session, payload.refresh_token, context.now(), context.client_address())
    if pair is None:
        raise Unauthenticated("The refresh token does not hold; sign in again.")
    return _tokens(pair)


@blueprint.post("/api/logout")
@every_role
@answers(Done)
def logout() -> Response:
    """Revoke the access token presented, and the refresh token that came with it. Harmless with HTTP Basic."""
    identity, now = context.identity(), context.now()
    if identity.family is not None:
        with context.writing() as session:
            tokens.revoke_family(session, identity.family, now)
            audit.record(session, now, identity.username, "logout", address=context.client_address())
    return done("Signed out.")


@blueprint.post("/api/change-password")
@every_role
@body(PasswordChange)
@answers(Done)
def change_password(payload: PasswordChange) -> Response:
    """Change one's own password; every token of this user is revoked.

    A wrong current password counts as a failed login.
    """
    identity, now, address = context.identity(), context.now(), context.client_address()
    accounts = context.generations()["accounts"]
    if not context.core().sign_in.with_password(identity.username, payload.current_password, address, now, accounts):
        raise Invalid([("current_password", "is not right")])
    with context.writing() as session:
        users.set_password(session, identity.username, payload.new_password, now, "new_password")
        audit.record(session, now, identity.username, "password changed", address=address)
    return done("The password is changed; sign in again.")


def _tokens(pair: Pair) -> Response:
    return flat(status="success", token_type="Bearer", **pair._asdict())  # noqa: S106 (a scheme's name)
