"""The pages, as data. Each is `templates/NAME.html`, which loads `static/js/pages/NAME.js`, and has `NAME` in words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from apiflask import APIBlueprint
from flask import Response, g, redirect, request, url_for
from werkzeug.wrappers import Response as Redirect

from proxyweb.api import session
from proxyweb.dashboard.rendering import rendered
from proxyweb.dashboard.setting_groups import grouped


class Page(NamedTuple):
    """A page, where it is, and its icon in the navigation; one without an icon is reached from another page.

    `given` is what its template is told beside what all are.
    """

    name: str
    path: str
    icon: str = ""
    given: Mapping[str, Any] = MappingProxyType({})


PAGES = (
    Page("overview", "/", "gauge"),
    Page("logs", "/logs", "list"),
    Page("clients", "/clients", "clients"),
    Page("client", "/clients/<ip>"),
    Page("domains", "/domains", "globe"),
    Page("files", "/files", "file"),
    Page("shadow_it", "/shadow-it", "cloud"),
    Page("threats", "/threats", "shield"),
    Page("settings", "/settings", "sliders", {"groups": grouped()}),
    Page("audit", "/audit", "book"),
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
    return rendered(f"{page.name}.html", page=page, pages=PAGES, **page.given)


for _page in PAGES:
    blueprint.add_url_rule(_page.path, _page.name, partial(show, _page))
