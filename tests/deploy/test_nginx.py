"""A browser's way through nginx, with TLS, to the server, by the configuration that comes with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.cookiejar import Cookie
from typing import Any, cast

import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.deploy.nginx import Nginx
from tests.e2e.server import Server
from tests.ingest.factory import log, traffic
from tests.test_supervisor import wait_for

PASSWORD = "a password for the tests"
CLIENT, FORGED = "127.0.0.77", "203.0.113.5"


class FromClient(HTTPAdapter):
    """Connections that come from another address than the proxy's."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **options, source_address=(CLIENT, 0))


def trusting(nginx: Nginx) -> requests.Session:
    """Somebody who trusts the certificate, whatever the environment says of others."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(nginx.certificate)
    return session


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    folder = tmp_path_factory.mktemp("behind")
    path = folder / "access.log"
    path.write_bytes(log(*traffic(3000)))
    server = Server(
        folder / "instance", ADMIN_PASSWORD=PASSWORD, TRUSTED_PROXIES="127.0.0.1,::1", ACCESS_LOG=str(path),
    )  # fmt: skip
    try:
        wait_for(server.healthy, 30)
        with Nginx(folder / "nginx", server.url) as nginx:
            yield nginx
    finally:
        server.stop()


@pytest.fixture
def browser(nginx: Nginx) -> Iterator[requests.Session]:
    """Somebody at CLIENT who claims to be somebody else."""
    with trusting(nginx) as session:
        session.mount("https://", FromClient())
        session.headers.update(
            {"X-Forwarded-For": FORGED, "X-Forwarded-Proto": "http", "X-Request-ID": "of-the-client"}
        )
        yield session


@pytest.fixture
def admin(nginx: Nginx) -> Iterator[requests.Session]:
    """Somebody else, with a password on every request."""
    with trusting(nginx) as session:
        session.auth = ("admin", PASSWORD)
        yield session


def sign_in(browser: requests.Session, nginx: Nginx) -> Cookie:
    form = {"username": "admin", "password": PASSWORD}
    answer = browser.post(f"{nginx.url}/sign-in", data=form, headers={"Origin": nginx.url}, timeout=10)
    assert (answer.status_code, answer.url) == (200, f"{nginx.url}/")
    (cookie,) = cast("list[Cookie]", list(browser.cookies))
    return cookie


def test_the_session_is_for_tls_alone(browser: requests.Session, nginx: Nginx) -> None:
    cookie = sign_in(browser, nginx)
    assert cookie.name == "__Host-proxyweb"
    assert (cookie.secure, cookie.path, cookie.domain_specified) == (True, "/", False)
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Strict"
    page = browser.get(f"{nginx.url}/settings", timeout=10)
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
    (token,) = re.findall(r'<meta name="csrf-token" content="([0-9a-f]{64})">', page.text)
    url = f"{nginx.url}/api/settings/log_retention_days"
    assert browser.put(url, json={"value": 60}, timeout=10).status_code == 403
    assert browser.put(url, json={"value": 60}, headers={"X-CSRF-Token": token}, timeout=10).status_code == 200


def test_who_did_it_is_the_client_and_not_the_proxy(browser: requests.Session, nginx: Nginx) -> None:
    sign_in(browser, nginx)
    entries = browser.get(f"{nginx.url}/api/audit-log", timeout=10).json()["data"]
    assert (entries[0]["action"], entries[0]["source_ip"]) == ("login", CLIENT)
    assert FORGED not in str(entries)
    answer = browser.get(f"{nginx.url}/api/status", timeout=10)
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"]), "nginx gave it"


def test_failed_sign_ins_of_one_client_do_not_shut_out_another(
    browser: requests.Session, admin: requests.Session, nginx: Nginx
) -> None:
    """Here, and nowhere else in this file, is CLIENT shut out: it is the last one that signs in as it."""
    url = f"{nginx.url}/api/status"
    wrong = [browser.get(url, auth=("admin", "wrong"), timeout=10).status_code for _ in range(6)]
    assert wrong == [401] * 5 + [429]
    assert admin.get(url, timeout=10).status_code == 200


def test_answers_are_packed_and_asked_for_again_for_nothing(admin: requests.Session, nginx: Nginx) -> None:
    wait_for(lambda: admin.get(f"{nginx.url}/api/logs/stats", timeout=10).json()["data"]["total_count"] == 3000, 30)
    url = f"{nginx.url}/api/logs?limit=100"
    first = admin.get(url, timeout=10)
    assert first.headers["Content-Encoding"] == "gzip"
    again = admin.get(url, headers={"If-None-Match": first.headers["ETag"]}, timeout=10)
    assert (again.status_code, again.content) == (304, b"")
    assert admin.get(f"{nginx.url}/api/logs/export?format=csv", timeout=30).text.count("\n") == 3001
    assert admin.get(f"{nginx.url}/api/maintenance/backup", timeout=30).content.startswith(b"SQLite format 3\0")


def test_what_is_not_for_outside(admin: requests.Session, nginx: Nginx) -> None:
    assert admin.get(f"{nginx.url}/metrics", timeout=10).status_code == 404
    assert admin.post(f"{nginx.url}/api/auth/login", data=b" " * 70_000, timeout=10).status_code == 413
    plain = admin.get(f"http://127.0.0.1:{nginx.plain_port}/logs?limit=1", headers={"Host": "localhost"},
                      allow_redirects=False, timeout=10)  # fmt: skip
    assert (plain.status_code, plain.headers["Location"]) == (301, "https://localhost/logs?limit=1")
