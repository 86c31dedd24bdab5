"""Nothing under /api answers without credentials, and what changes something is the admin's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from apiflask import APIBlueprint, APIFlask
from flask import Response

from proxyweb.api import gate
from proxyweb.api.envelope import success
from tests.clients import Client, basic, signed_in
from tests.conftest import ADMIN_PASSWORD, VIEWER_PASSWORD

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
OWN_ACCOUNT = {"/api/logout", "/api/change-password"}
CHANGES_NOTHING = {"/api/waf/test-rule"}
UNKNOWN = (
    "/api",
    "/api/",
    "/api/nope",
    "/api/status/",
    "/api/status/x",
    "/api/%2e%2e/status",
    "/api/auth/",
    "/api/auth/login/x",
)


def test_little_is_open() -> None:
    """Each other test here passes over what stands there."""
    assert {"/api/health", "/api/auth/login", "/api/auth/refresh"} == gate.OPEN


def paths(app: APIFlask) -> list[str]:
    """Every address under /api that the application knows, with something in place of what varies."""
    rules = [rule.rule.replace("<", "").replace(">", "") for rule in app.url_map.iter_rules()]
    return sorted({rule for rule in rules if rule.startswith("/api") and rule not in gate.OPEN})


def test_every_address_and_method_refuses_the_anonymous(app: APIFlask, client: Client) -> None:
    assert len(paths(app)) >= 7
    for path in (*paths(app), *UNKNOWN):
        for method in METHODS:
            answer = client.open(path, method=method)
            assert answer.status_code == 401, (method, path)
            assert answer.headers.getlist("WWW-Authenticate") == ['Basic realm="proxyweb"', "Bearer"]
            if method != "HEAD":
                assert answer.json == {"status": "error", "detail": answer.json["detail"]}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic Og==",
        "Basic " + "A" * 5000,
        basic("", ""),
        basic("admin", ""),
        basic("nobody", "whatever"),
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer a.b.c",
        "Bearer " + "a." * 4000,
        "Digest username=admin",
        "Token abc",
        "basic\x80",
    ],
)
def test_credentials_that_are_none_are_refused(client: Client, header: str) -> None:
    answer = client.get("/api/status", headers={"Authorization": header})
    assert answer.status_code == 401


def test_the_scheme_is_read_in_any_case(app: APIFlask) -> None:
    header = basic("admin", ADMIN_PASSWORD).replace("Basic", "bAsIc")
    assert signed_in(app, header).get("/api/status").status_code == 200


def test_a_viewer_reads_but_changes_nothing(app: APIFlask, viewer: Client) -> None:
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api") or rule.rule in gate.OPEN | OWN_ACCOUNT | CHANGES_NOTHING:
            continue
        for method in (rule.methods or set()) - gate.READING:
            _, path = rule.build(dict.fromkeys(rule.arguments, 1)) or ("", "")
            answer = viewer.open(path, method=method)
            assert (method, rule.rule, answer.status_code) == (method, rule.rule, 403)
    assert viewer.get("/api/settings").status_code == 200


def test_a_read_can_be_the_admins(make_app: Callable[..., APIFlask]) -> None:
    blueprint = APIBlueprint("secrets", __name__)

    @blueprint.get("/api/secret")
    @gate.admin_only
    def secret() -> Response:
        return success(1)

    app = make_app()
    app.register_blueprint(blueprint)
    assert signed_in(app, basic("viewer", VIEWER_PASSWORD)).get("/api/secret").status_code == 403
    assert signed_in(app, basic("admin", ADMIN_PASSWORD)).get("/api/secret").status_code == 200


def test_unknown_addresses_and_methods_are_told_once_signed_in(viewer: Client) -> None:
    assert viewer.get("/api/nope").status_code == 404
    refused = viewer.delete("/api/status")
    assert refused.status_code == 405
    assert set(refused.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert viewer.open("/api/status", method="TRACE").status_code == 405


def test_addresses_outside_the_api_say_404_in_the_same_shape(client: Client) -> None:
    answer = client.get("/nope")
    assert answer.status_code == 404
    assert answer.json["status"] == "error"


def test_a_verified_password_is_remembered_without_writing(app: APIFlask, admin: Client, instance: object) -> None:
    assert admin.get("/api/status").status_code == 200
    core = app.extensions["proxyweb"]
    with core.database.write():  # somebody holds the write lock
        assert admin.get("/api/status").status_code == 200
