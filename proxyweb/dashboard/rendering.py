"""A template becomes a page: with the words, the addresses of what it loads, and who is looking."""

from __future__ import annotations

from flask import Response, g, render_template

from proxyweb import __version__
from proxyweb.api import session
from proxyweb.dashboard import assets
from proxyweb.dashboard.words import LANGUAGE, say


def rendered(template: str, status: int = 200, **values: object) -> Response:
    """A page that no cache keeps: it holds the session's CSRF token and the name of who is signed in."""
    identity = g.get("flask_httpauth_user")
    html = render_template(
        template,
        say=say,
        asset=assets.address,
        is_set_up="vendor/tabler.min.css" in assets.contents(),
        language=LANGUAGE,
        version=__version__,
        identity=identity,
        csrf_token=session.csrf_token(identity) if identity else "",
        **values,
    )
    response = Response(html, status, mimetype="text/html")
    response.headers["Cache-Control"] = "no-store"
    return response
