"""Style sheets, scripts and words, served from memory under an address that changes with what they hold.

All of them are known when the program starts, so no path leads elsewhere, and each is compressed once. Scripts refer
to each other by relative addresses and so keep to one version.
"""

from __future__ import annotations

import gzip
from functools import cache, lru_cache
from hashlib import blake2b
from mimetypes import guess_type
from pathlib import Path

from apiflask import APIBlueprint
from flask import Response, request

from proxyweb.errors import NotFound

FOLDER = Path(__file__).with_name("static")
FOR_GOOD = "public, max-age=31536000, immutable"

blueprint = APIBlueprint("assets", __name__, enable_openapi=False)


@cache
def contents() -> dict[str, bytes]:
    """Every file below `static/` by its path there."""
    files = sorted(path for path in FOLDER.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in files}


@cache
def version() -> str:
    """A hash of all of them."""
    digest = blake2b(digest_size=8)
    for name, content in contents().items():
        digest.update(name.encode() + b"\0" + len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


def address(name: str) -> str:
    """Where a page finds the file `name`, such as `js/theme.js`."""
    return f"/assets/{version()}/{name}"


@lru_cache(256)
def compressed(name: str) -> bytes:
    return gzip.compress(contents()[name], 9, mtime=0)


@blueprint.get("/assets/<made_for>/<path:name>")
def asset(made_for: str, name: str) -> Response:
    """A file, to be kept for good; under the address of another version it is this one's, and not kept."""
    if name not in contents():
        raise NotFound("There is nothing at this address.")
    zipped = bool(request.accept_encodings["gzip"])
    response = Response(
        compressed(name) if zipped else contents()[name], mimetype=guess_type(name)[0] or "application/octet-stream"
    )
    response.headers["Cache-Control"] = FOR_GOOD if made_for == version() else "no-store"
    response.headers["Vary"] = "Accept-Encoding"
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    return response
