"""A browser's way in, without a browser: the form, the cookie, the token in the page."""

from __future__ import annotations

import re
from typing import Any

from apiflask import APIFlask

from tests.clients import Answer, Client, anonymous
from tests.conftest import VIEWER_PASSWORD

OWN = {"Origin": "http://localhost"}


def sign_in(client: Client, username: str = "viewer", password: str = VIEWER_PASSWORD, **options: Any) -> Answer:
    """Send the form as a browser would from our own page."""
    form = {"username": username, "password": password, **options.pop("data", {})}
    return client.post("/sign-in", data=form, **{"headers": OWN, **options})


def session(app: APIFlask, username: str = "viewer", password: str = VIEWER_PASSWORD) -> Client:
    """A client that holds a session."""
    client = anonymous(app)
    assert sign_in(client, username, password).status_code == 303
    return client


def csrf_token(client: Client) -> str:
    """The token that the pages of this session carry."""
    page = client.get("/").get_data(as_text=True)
    (token,) = re.findall(r'<meta name="csrf-token" content="([0-9a-f]{64})">', page)
    return str(token)


def status_with(app: APIFlask, cookie: str) -> int:
    """What the API answers to this Cookie header and no other."""
    return app.test_client(use_cookies=False).get("/api/status", headers={"Cookie": cookie}).status_code
