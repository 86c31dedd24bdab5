"""Sessions: how they begin and end, what their cookie is like, and what they may do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from apiflask import APIFlask

from proxyweb.accounts import users
from proxyweb.db.session import open_session, transaction
from tests.clients import Client, anonymous, basic, signed_in
from tests.conftest import ADMIN_PASSWORD, VIEWER_PASSWORD, Clock
from tests.dashboard.signing_in import OWN, csrf_token, session, sign_in, status_with

HOUR = 3600


def status(client: Client) -> int:
    return client.get("/api/status").status_code


def test_a_session_reads_the_api_and_the_pages(app: APIFlask, client: Client) -> None:
    assert status(client) == 401
    answer = sign_in(client)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert status(client) == 200
    assert client.get("/").status_code == 200


def test_the_cookie_is_for_this_site_and_no_script(client: Client) -> None:
    (cookie,) = sign_in(client).headers.getlist("Set-Cookie")
    name, *attributes = cookie.split("; ")
    assert name.startswith("proxyweb=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} <= set(attributes)
    assert not {"Secure"} & set(attributes)
    assert "Domain" not in cookie


@pytest.mark.parametrize(
    ("peer", "forwarded", "is_secure"),
    [("10.0.0.1", "https", True), ("10.0.0.1", "http", False), ("10.0.0.1", "http, https", True),
     ("10.0.0.1", "https, http", False), ("192.0.2.1", "https", False)],
)  # fmt: skip
def test_under_tls_the_cookie_is_secure(
    make_app: Callable[..., APIFlask], peer: str, forwarded: str, is_secure: bool
) -> None:
    client = anonymous(make_app(TRUSTED_PROXIES="10.0.0.0/8"))
    client.environ_base["REMOTE_ADDR"] = peer
    answer = sign_in(client, headers={**OWN, "X-Forwarded-Proto": forwarded})
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-proxyweb=" if is_secure else "proxyweb=")
    assert ("Secure" in cookie.split("; ")) == is_secure


def test_a_wrong_password_says_so_and_counts(client: Client, admin: Client) -> None:
    for username in ("viewer", "nobody", "viewer", "viewer", "viewer"):
        answer = sign_in(client, username, "wrong")
        assert answer.status_code == 403
        assert "Name or password is wrong." in answer.get_data(as_text=True)
        assert "Set-Cookie" not in answer.headers
    answer = sign_in(client)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert admin.get("/api/status").status_code == 429


def test_a_session_goes_on_working_during_a_lockout(app: APIFlask) -> None:
    mine = session(app)
    for _ in range(6):
        sign_in(anonymous(app), password="wrong")
    assert status(mine) == 200


def test_what_was_typed_is_text(client: Client) -> None:
    page = sign_in(client, '"><script>alert(1)</script>', "wrong").get_data(as_text=True)
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:8080"},
        {"Origin": "http://localhost.evil.example"},
        {"Sec-Fetch-Site": "cross-site", **OWN},
        {"Sec-Fetch-Site": "same-site", **OWN},
        {"Sec-Fetch-Site": "none", **OWN},
    ],
)
def test_the_form_is_taken_from_our_own_page_only(client: Client, headers: dict[str, str]) -> None:
    answer = sign_in(client, headers=headers)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers
    assert status(client) == 401


def test_a_proxy_that_hides_the_host_is_no_obstacle_under_tls(client: Client) -> None:
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy.example"}
    assert sign_in(client, headers=headers).status_code == 303


def test_a_session_changes_something_only_with_its_token(app: APIFlask) -> None:
    mine, other = session(app, "admin", ADMIN_PASSWORD), session(app, "admin", ADMIN_PASSWORD)
    change = {"json": {"value": True}}
    for headers in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "é"}, {"X-CSRF-Token": csrf_token(other)}):
        answer = mine.put("/api/settings/gdpr_mode", headers=headers, **change)
        assert (answer.status_code, answer.json["status"]) == (403, "error")
    right = {"X-CSRF-Token": csrf_token(mine)}
    assert mine.put("/api/settings/gdpr_mode", headers=right, **change).status_code == 200
    assert mine.post("/api/nope", headers=right).status_code == 404


def test_a_viewers_session_changes_nothing(app: APIFlask) -> None:
    mine = session(app)
    headers = {"X-CSRF-Token": csrf_token(mine)}
    assert mine.put("/api/settings/gdpr_mode", headers=headers, json={"value": True}).status_code == 403


def test_an_authorization_header_counts_and_not_the_cookie(app: APIFlask) -> None:
    mine = session(app)
    assert mine.get("/api/status", headers={"Authorization": basic("viewer", "wrong")}).status_code == 401
    as_admin = {"Authorization": basic("admin", ADMIN_PASSWORD)}
    assert mine.put("/api/settings/gdpr_mode", headers=as_admin, json={"value": True}).status_code == 200


def test_signing_out_ends_the_session_everywhere(make_app: Callable[..., APIFlask]) -> None:
    here, there = make_app(), make_app()
    mine, other = session(here), session(here)
    cookie = sign_in(mine).headers["Set-Cookie"].partition(";")[0]
    assert status_with(there, cookie) == 200
    assert mine.post("/sign-out", data={"csrf_token": "0" * 64}).status_code == 403
    assert status(mine) == 200
    answer = mine.post("/sign-out", data={"csrf_token": csrf_token(mine)})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert "proxyweb=;" in answer.headers["Set-Cookie"]
    for app in (here, there, make_app()):
        assert status_with(app, cookie) == 401
    assert status(other) == 200
    assert anonymous(here).post("/sign-out").status_code == 303


def test_a_new_password_ends_every_session(app: APIFlask) -> None:
    mine, other = session(app), session(app)
    change = {"current_password": VIEWER_PASSWORD, "new_password": "another password"}
    headers = {"X-CSRF-Token": csrf_token(mine)}
    assert mine.post("/api/change-password", headers=headers, json=change).status_code == 200
    assert (status(mine), status(other)) == (401, 401)


def test_removing_a_user_ends_their_sessions(app: APIFlask) -> None:
    mine = session(app)
    with transaction(open_session(app.extensions["proxyweb"].config.database)) as database:
        users.remove(database, "viewer")
    assert status(mine) == 401


def test_a_session_ends_by_itself(app: APIFlask, clock: Clock) -> None:
    mine = session(app)
    clock.now += 12 * HOUR - 1
    assert status(mine) == 200
    clock.now += 1
    assert status(mine) == 401
    assert mine.get("/").headers["Location"] == "/sign-in?next=/"


def test_tokens_of_one_kind_are_not_taken_for_another(app: APIFlask, client: Client) -> None:
    token = sign_in(client).headers["Set-Cookie"].partition(";")[0].removeprefix("proxyweb=")
    assert signed_in(app, f"Bearer {token}").get("/api/status").status_code == 401
    pair = client.post("/api/auth/login", json={"username": "viewer", "password": VIEWER_PASSWORD}).json
    for other in (pair["access_token"], pair["refresh_token"], "x", "a.b.c"):
        assert status_with(app, f"proxyweb={other}") == 401
    assert status_with(app, f"proxyweb={token}") == 200


def test_scripts_are_asked_for_no_password_by_the_browser(client: Client) -> None:
    answer = client.get("/api/status", headers={"X-Requested-With": "fetch"})
    assert answer.headers.getlist("WWW-Authenticate") == ["Bearer"]


@pytest.mark.parametrize("wanted", ["/", "/logs", "/logs?client=10.0.0.1&blocked=true", "/clients/2001:db8::1"])
def test_one_comes_back_to_where_one_wanted_to_go(client: Client, wanted: str) -> None:
    assert sign_in(client, data={"next": wanted}).headers["Location"] == wanted
    assert client.get("/sign-in", query_string={"next": wanted}).headers["Location"] == wanted


@pytest.mark.parametrize(
    "wanted",
    ["", "logs", "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "javascript:alert(1)",
     "/\t/evil.example", "/ /evil.example", "/a\r\nX: y", "/é", "/" * 2, "/" + "a" * 5000, " /logs"],
)  # fmt: skip
def test_no_address_leads_away_from_here(client: Client, wanted: str) -> None:
    assert sign_in(client, data={"next": wanted}).headers["Location"] == "/"


def test_who_signs_in_and_out_of_the_dashboard_is_in_the_audit_log(app: APIFlask, admin: Client) -> None:
    mine = session(app)
    mine.post("/sign-out", data={"csrf_token": csrf_token(mine)})
    entries = admin.get("/api/audit-log").json["data"]
    assert [(entry["username"], entry["action"]) for entry in entries] == [("viewer", "logout"), ("viewer", "login")]


def test_reading_a_page_writes_nothing(app: APIFlask) -> None:
    mine = session(app)
    with app.extensions["proxyweb"].database.write():  # somebody holds the write lock
        assert mine.get("/").status_code == 200
        assert anonymous(app).get("/sign-in").status_code == 200
