"""The pages, as data. Each is `templates/NAME.html`, which loads `static/js/pages/NAME.js`, and has `NAME` in words."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from apiflask import APIBlueprint
from flask import Response, g, redirect, request, url_for
from werkzeug.wrappers import Response as Redirect

from proxyweb.api import session
from proxyweb.dashboard.rendering import rendered


class Page(NamedTuple):
    """A page, where it is, and its icon in the navigation; one without an icon is reached from another page."""

    name: str
    path: str
    icon: str = ""


PAGES = (
    Page("overview", "/", "gauge"),
    Page("logs", "/logs", "list"),
    Page("clients", "/clients", "clients"),
    Page("client", "/clients/<ip>"),
    Page("domains", "/domains", "globe"),
    Page("files", "/files", "file"),
    Page("shadow_it", "/shadow-it", "cloud"),
    Page("threats", "/threats", "shield"),
)

blueprint = APIBlueprint("pages", __name__, template_folder="templates", enable_openapi=False)


@blueprint.before_request
def signed_in() -> Redirect | None:
    """Lets through whoever has a session; everyone else signs in first, and comes back."""
    identity = session.presented()
    if identity is None:
        wanted = request.full_path if request.query_string else request.path
        return redirect(url_for("sign_in.form", next=wanted))
    g.flask_httpauth_user = identity
    return None


def show(page: Page, **_: str) -> Response:
    """The shell of a page. What it shows, its scripts ask the API for; what varies in its address, they read there."""
    return rendered(f"{page.name}.html", page=page, pages=PAGES)


for _page in PAGES:
    blueprint.add_url_rule(_page.path, _page.name, partial(show, _page))
