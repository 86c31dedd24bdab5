"""The OpenAPI document and the page that shows it, both made from what the views declare."""

from __future__ import annotations

from typing import Any, cast

import orjson
from apiflask import APIBlueprint, APIFlask
from flask import Response, current_app, render_template

from proxyweb.api.answers import Failure
from proxyweb.api.conditional import conditional
from proxyweb.api.gate import OPEN, needed_role

blueprint = APIBlueprint("document", __name__, tag="Documentation", enable_openapi=True)
PAGE: dict[int | str, dict[str, str | dict[str, dict[str, Any]]]] = {
    200: {"description": "The page", "content": {"text/html": {"schema": {"type": "string"}}}}
}

SCHEMES = {
    "Basic": {"type": "http", "scheme": "basic"},
    "Bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}
FAILURES = {
    "400": "A parameter or the body is not valid; `errors` names what is at fault.",
    "401": "No credentials, or ones that do not hold.",
    "403": "Not allowed for this role.",
    "404": "What was asked for does not exist.",
    "409": "It is there already, or changed meanwhile.",
    "413": "The body is larger than 64 KiB.",
    "414": "The address is longer than 8190 bytes.",
    "415": "The body is not JSON.",
    "429": "Too many failed logins from this address, or exports or searches by this user; `Retry-After` says how "
    "long to wait.",
    "431": "A header is longer than 8190 bytes, or there are more than 64.",
    "500": "A mistake of the server's; its log says more.",
    "503": "The database is busy or can't be used; `Retry-After`, where given, says when to try again.",
}
ALWAYS = ("400", "414", "429", "431", "500", "503")


def register(app: APIFlask) -> None:
    """Have APIFlask write the document the way our views work; its own pages, which load from a CDN, are off."""
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_404_RESPONSE=False,
        AUTO_SERVERS=False,
        AUTO_OPERATION_ID=True,
        SECURITY_SCHEMES=SCHEMES,
        DESCRIPTION="What Squid's access log holds, as JSON. Times are UTC.",
    )
    app.spec_processor(lambda spec: finished(app, cast("dict[str, Any]", spec)))


def finished(app: APIFlask, spec: dict[str, Any]) -> dict[str, Any]:
    """The document with what holds for every route: failures, credentials, roles, 304 for reads."""
    components = spec.setdefault("components", {})
    components.setdefault("schemas", {})["Failure"] = _schema()
    components["responses"] = {
        status: {
            "description": text,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}},
        }
        for status, text in FAILURES.items()
    }
    views = {operation_id(method, rule.endpoint): app.view_functions[rule.endpoint]
             for rule in app.url_map.iter_rules() for method in rule.methods or ()}  # fmt: skip
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            role = needed_role(views[operation["operationId"]], method.upper())
            _finish(path, method, operation, role, components["schemas"])
    return spec


def operation_id(method: str, endpoint: str) -> str:
    """The name of an operation, as APIFlask makes it."""
    return f"{method.lower()}_{endpoint.replace('.', '_')}"


def _finish(path: str, method: str, operation: dict[str, Any], role: str, schemas: dict[str, Any]) -> None:
    is_open = path in OPEN
    operation["security"] = [] if is_open else [{name: []} for name in SCHEMES]
    operation["x-role"] = "none" if is_open else role
    responses = operation["responses"]
    expected = [*ALWAYS]
    if path != "/api/health":
        expected.append("401")
    if role == "admin" and not is_open:
        expected.append("403")
    if "{" in path:
        expected.append("404")
    if "requestBody" in operation:
        operation["requestBody"]["required"] = _needs_a_field(operation["requestBody"], schemas)
        expected += ["413", "415"]
    for status in expected:
        responses.setdefault(status, {"$ref": f"#/components/responses/{status}"})
    if method == "get":
        responses["304"] = {"description": "Unchanged since the answer whose ETag was sent as If-None-Match."}
    operation["responses"] = dict(sorted(responses.items()))


def _needs_a_field(body: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Whether a body is required: no body at all is taken for an empty object."""
    schema = body["content"]["application/json"]["schema"]
    found = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return bool(found.get("required"))


def _schema() -> dict[str, Any]:
    schema = Failure.model_json_schema(ref_template="#/components/schemas/{model}")
    schema["properties"]["errors"] = {"type": "array", "items": schema.pop("$defs")["FieldError"]}
    return schema


@blueprint.get("/api/openapi.json")
@conditional()
@blueprint.doc(responses={200: "An OpenAPI 3.1 document"})
def openapi() -> Response:
    """This document."""
    return Response(orjson.dumps(_spec()), mimetype="application/json")


@blueprint.get("/api/docs")
@conditional()
@blueprint.doc(responses=PAGE)
def docs() -> Response:
    """This document as a page to read."""
    return Response(render_template("docs.html", spec=_spec()), mimetype="text/html")


def _spec() -> dict[str, Any]:
    return cast("dict[str, Any]", cast(APIFlask, current_app).spec)
