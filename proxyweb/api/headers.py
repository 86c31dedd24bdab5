"""The headers that every response carries, errors and static files included."""

from __future__ import annotations

from flask import Flask, Response, request

from proxyweb.api.conditional import by_content

EVERYWHERE = (
    (
        "Content-Security-Policy",
        "default-src 'self'; img-src 'self' data:; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'self'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


def register(app: Flask) -> None:
    app.after_request(add_headers)


def add_headers(response: Response) -> Response:
    """Security headers; on the API an ETag for every read, and no storing of anything that has none."""
    if request.path.startswith("/api/") and "ETag" not in response.headers:
        response = by_content(response)
        if "ETag" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
    for name, value in EVERYWHERE:
        response.headers[name] = value
    return response
