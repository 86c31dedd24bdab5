"""The dashboard's session: a cookie that holds a session token, and the CSRF token that goes with it.

A cookie is sent along by the browser whoever made the request, so by itself it lets one read. What changes something
must carry the session's CSRF token in a header, which only the dashboard's own pages know.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from flask import request
from werkzeug.wrappers import Response

from proxyweb.accounts.identity import Identity
from proxyweb.api import context
from proxyweb.api.address import is_secure
from proxyweb.errors import Forbidden
from proxyweb.secret import derived

COOKIE, SECURE_COOKIE = "proxyweb", "__Host-proxyweb"
CSRF_HEADER = "X-CSRF-Token"


def presented() -> Identity | None:
    """Whoever the request's cookie proves; None without one, and for one that does not hold."""
    token = request.cookies.get(_cookie())
    if not token:
        return None
    return context.core().sign_in.with_token(token, context.now(), context.generations()["accounts"], "session")


def csrf_token(identity: Identity) -> str:
    """What a page of this session sends as X-CSRF-Token; it ends with the session."""
    key = derived(context.core().secret, "csrf")
    return hmac.digest(key, (identity.family or "").encode(), "sha256").hex()


def refuse_forged(identity: Identity, given: str) -> None:
    """Raise Forbidden unless `given` is the session's CSRF token."""
    if not hmac.compare_digest(given.encode(), csrf_token(identity).encode()):
        raise Forbidden(f"A session can change something only with its page's {CSRF_HEADER}; reload the page.")


def refuse_foreign() -> None:
    """Raise Forbidden for a form that was sent from another site's page, or by what is no browser.

    Browsers say where a form comes from: in Sec-Fetch-Site, which holds whatever a reverse proxy makes of the host,
    but is not sent over plain HTTP; else in Origin.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = urlsplit(request.headers.get("Origin", "")).netloc
    is_own = site == "same-origin" if site else origin == request.host
    if not is_own:
        raise Forbidden("This form can only be sent from proxyweb's own page; open it and try again.")


def begin(response: Response, token: str) -> None:
    """Hand the session to the browser, for as long as it lasts."""
    response.set_cookie(
        _cookie(),
        token,
        max_age=context.core().config.session_seconds,
        secure=_is_secure(),
        httponly=True,
        samesite="Strict",
    )


def end(response: Response) -> None:
    """Have the browser forget the session."""
    response.delete_cookie(_cookie(), secure=_is_secure(), httponly=True, samesite="Strict")


def _cookie() -> str:
    return SECURE_COOKIE if _is_secure() else COOKIE


def _is_secure() -> bool:
    forwarded = request.headers.getlist("X-Forwarded-Proto")
    return is_secure(request.scheme, request.remote_addr or "", forwarded, context.core().config)
