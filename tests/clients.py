"""Flask's test client as the tests see it: what is answered is JSON of any shape."""

from __future__ import annotations

from base64 import b64encode
from types import TracebackType
from typing import Any, Protocol, Self, cast

from flask import Flask
from werkzeug.datastructures import Headers


class Answer(Protocol):
    """What a request gave back."""

    status_code: int
    headers: Headers
    data: bytes
    json: Any

    def get_data(self, as_text: bool) -> str: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Client(Protocol):
    """Someone who asks; `json=`, `data=`, `headers=`, `query_string=` and the rest are werkzeug's."""

    environ_base: dict[str, Any]

    def open(self, path: str, **options: Any) -> Answer: ...
    def get(self, path: str, **options: Any) -> Answer: ...
    def head(self, path: str, **options: Any) -> Answer: ...
    def post(self, path: str, **options: Any) -> Answer: ...
    def put(self, path: str, **options: Any) -> Answer: ...
    def delete(self, path: str, **options: Any) -> Answer: ...


def basic(username: str, password: str) -> str:
    """The Authorization header of HTTP Basic."""
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


def anonymous(app: Flask) -> Client:
    return cast(Client, app.test_client())


def signed_in(app: Flask, authorization: str) -> Client:
    """A client that sends this Authorization header with every request."""
    client = anonymous(app)
    client.environ_base["HTTP_AUTHORIZATION"] = authorization
    return client
