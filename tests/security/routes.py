"""The application's own list of addresses, so that none is forgotten, and values for what varies in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from apiflask import APIFlask

from tests.clients import Client

READING = {"GET", "HEAD", "OPTIONS"}
WITHIN = {"ip": "10.0.0.7", "name": "gdpr_mode", "entry_id": "1"}


class Route(NamedTuple):
    """A method of an address that asks for credentials, with and without what varies in its place."""

    method: str
    rule: str
    path: str


class Parameter(NamedTuple):
    """One of a query string or a path, by the OpenAPI document."""

    route: Route
    name: str
    place: str
    schema: dict[str, Any]


def routes(app: APIFlask) -> Iterator[Route]:
    """Every one, but HEAD and OPTIONS."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api") or rule.rule == "/metrics":
            path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: WITHIN[found[1]], rule.rule)
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield Route(method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), path)


def changing(app: APIFlask) -> list[Route]:
    """Those that may change something."""
    found = [route for route in routes(app) if route.method not in READING]
    assert len(found) > 12
    return found


def parameters(app: APIFlask, admin: Client) -> list[Parameter]:
    """Every parameter that is documented; another test holds that all are."""
    paths = admin.get("/api/openapi.json").json["paths"]
    found = [
        Parameter(route, each["name"], each["in"], each["schema"])
        for route in routes(app)
        for each in paths.get(route.rule, {}).get(route.method.lower(), {}).get("parameters", [])
    ]
    assert len(found) > 40
    return found


def bodies(app: APIFlask, admin: Client) -> dict[Route, dict[str, Any]]:
    """The properties of every JSON body that is documented."""
    document = admin.get("/api/openapi.json").json
    found = {}
    for route in changing(app):
        operation = document["paths"][route.rule][route.method.lower()]
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            name = schema.get("$ref", "").rpartition("/")[2]
            found[route] = document["components"]["schemas"][name].get("properties", {}) if name else {}
    return found
