"""The one gate before every view: who is asking, may they, and is there nothing in the request that nobody reads.

It is a single hook on the application, so no view can be forgotten. Everything under /api needs credentials, unknown
addresses and wrong methods too, but for the addresses in OPEN. What changes something is the admin's, unless the
view says `every_role`; a read that is the admin's says `admin_only`. The dashboard's session is a credential too.

METRICS needs credentials as well, but for those who ask at the address that is for it alone (PROXYWEB_METRICS_BIND),
where there is nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, g, request
from flask_httpauth import HTTPBasicAuth, HTTPTokenAuth

from proxyweb.accounts.identity import Identity
from proxyweb.api import context, session
from proxyweb.api.binding import refuse_undeclared
from proxyweb.config import port_of
from proxyweb.errors import Forbidden, NotFound, Unauthenticated

View = TypeVar("View", bound=Callable[..., Any])

METRICS = "/metrics"
OPEN = frozenset({"/api/health", "/api/auth/login", "/api/auth/refresh"})
READING = frozenset({"GET", "HEAD", "OPTIONS"})
ROLE = "_needs_role"

basic = HTTPBasicAuth(realm="proxyweb")
bearer = HTTPTokenAuth(scheme="Bearer", realm="proxyweb")


def admin_only(view: View) -> View:
    """For a view that reads, and that only admins may see."""
    setattr(view, ROLE, "admin")
    return view


def every_role(view: View) -> View:
    """For a view that changes something, and that every user may do (their own password, signing out)."""
    setattr(view, ROLE, "viewer")
    return view


def needed_role(view: Callable[..., Any] | None, method: str) -> str:
    """The role that `method` on `view` needs."""
    default = "viewer" if method in READING else "admin"
    return str(getattr(view, ROLE, default))


def register(app: Flask) -> None:
    app.before_request(check)


def check() -> None:
    """Raises Unauthenticated, TooManyAttempts, Forbidden, NotFound, or Invalid for what the view does not take."""
    is_open = request.path in OPEN
    if arrived_for_metrics():
        if request.path != METRICS:
            raise NotFound("There is nothing here but /metrics.")
        is_open = True
    elif not is_api(request.path):
        return
    view = current_app.view_functions.get(request.endpoint or "")
    if not is_open:
        g.flask_httpauth_user = identity = authenticated()
        if view is not None and needed_role(view, request.method) == "admin" and identity.role != "admin":
            raise Forbidden("Only an admin may do this.")
    if view is not None:
        refuse_undeclared(request, getattr(view, "_spec", {}))


def is_api(path: str) -> bool:
    return path.startswith("/api/") or path in ("/api", METRICS)


def arrived_for_metrics() -> bool:
    """Whether the request came in at the address for metrics. The socket says so: what the client says may be false."""
    bind, connection = context.core().config.metrics_bind, request.environ.get("gunicorn.socket")
    if bind is None or connection is None:
        return False
    place = connection.getsockname()
    return isinstance(place, tuple) and place[1] == port_of(bind)


def authenticated() -> Identity:
    """Whoever the Authorization header proves or, without one, the session.

    Raises Unauthenticated, TooManyAttempts; Forbidden when a session is to change something without its CSRF token.
    """
    if "Authorization" not in request.headers and (identity := session.presented()):
        if request.method not in READING:
            session.refuse_forged(identity, request.headers.get(session.CSRF_HEADER, ""))
        return identity
    scheme = request.headers.get("Authorization", "").partition(" ")[0].lower()
    method = {"basic": basic, "bearer": bearer}.get(scheme)
    if method is None:
        raise Unauthenticated("Sign in with HTTP Basic, or with an access token from /api/auth/login.")
    identity = method.authenticate(method.get_auth(), None)
    if not isinstance(identity, Identity):
        raise Unauthenticated(
            "Name or password is wrong." if method is basic else "The access token does not hold; sign in again."
        )
    return identity


@basic.verify_password  # type: ignore[untyped-decorator]
def _with_password(username: str, password: str) -> Identity | None:
    if not username:
        return None
    return context.core().sign_in.with_password(
        username, password, context.client_address(), context.now(), context.generations()["accounts"]
    )


@bearer.verify_token  # type: ignore[untyped-decorator]
def _with_token(token: str) -> Identity | None:
    return context.core().sign_in.with_token(token, context.now(), context.generations()["accounts"])
