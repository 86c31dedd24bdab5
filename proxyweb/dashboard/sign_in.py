"""Signing in to the dashboard and out of it. The form works without scripts."""

from __future__ import annotations

import re

from apiflask import APIBlueprint
from flask import Response, g, redirect, request, url_for
from werkzeug.wrappers import Response as Redirect

from proxyweb import audit
from proxyweb.accounts import tokens
from proxyweb.api import context, session
from proxyweb.dashboard.rendering import rendered
from proxyweb.dashboard.words import say
from proxyweb.errors import Forbidden, TooManyAttempts

OURS = re.compile(r"/(?![/\\])[!-\[\]-~]*", re.ASCII)
"""A path on this server. Browsers take `//host` and `/\\host` for another one."""
LONGEST_NEXT = 4096

blueprint = APIBlueprint("sign_in", __name__, template_folder="templates", enable_openapi=False)


@blueprint.get("/sign-in")
def form() -> Response | Redirect:
    """The form; whoever has a session is taken to where they want to go."""
    if session.presented():
        return redirect(_next())
    return rendered("sign_in.html", next=_next())


@blueprint.post("/sign-in")
def sign_in() -> Response | Redirect:
    """Begin a session. Failures count together with those of the API."""
    core, now, address = context.core(), context.now(), context.client_address()
    username = request.form.get("username", "")
    try:
        session.refuse_foreign()
        identity = core.sign_in.with_password(
            username, request.form.get("password", ""), address, now, context.generations()["accounts"]
        )
    except TooManyAttempts as error:
        response = _refused(error.status, say("sign_in.wait", seconds=error.retry_after), username)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    except Forbidden as error:
        return _refused(error.status, error.detail, username)
    if identity is None:
        return _refused(Forbidden.status, say("sign_in.wrong"), username)
    with context.writing() as transaction:
        token = core.sign_in.issuer.begin_session(transaction, identity.user_id, identity.username, now)
        audit.record(transaction, now, identity.username, "login", address=address)
    answer = redirect(_next(), 303)
    session.begin(answer, token)
    return answer


@blueprint.post("/sign-out")
def sign_out() -> Redirect:
    """End the session, here and in every process. Without one there is nothing to end."""
    identity, now = session.presented(), context.now()
    if identity is not None:
        session.refuse_forged(identity, request.form.get("csrf_token", ""))
        with context.writing() as transaction:
            tokens.revoke_family(transaction, str(identity.family), now)
            audit.record(transaction, now, identity.username, "logout", address=context.client_address())
    g.pop("flask_httpauth_user", None)
    answer = redirect(url_for("sign_in.form"), 303)
    session.end(answer)
    return answer


def _refused(status: int, reason: str, username: str) -> Response:
    return rendered("sign_in.html", status, next=_next(), reason=reason, username=username)


def _next() -> str:
    """Where to go once signed in: a path of our own, else the overview."""
    wanted = request.values.get("next", "")
    return wanted if len(wanted) <= LONGEST_NEXT and OURS.fullmatch(wanted) else "/"
