"""The OpenAPI document and the application say the same."""

from __future__ import annotations

import re
from typing import Any

import pytest
from apiflask import APIFlask
from pydantic import BaseModel

from proxyweb.api import gate
from tests.clients import Client


@pytest.fixture
def document(admin: Client) -> dict[str, Any]:
    answer = admin.get("/api/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    return dict(answer.json)


def test_every_route_is_in_the_document_and_no_other(app: APIFlask, document: dict[str, Any]) -> None:
    routes = {
        (re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api")
    }
    assert routes == {(path, method) for path, item in document["paths"].items() for method in item}


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if "$ref" in part:
                kind, name = part["$ref"].removeprefix("#/components/").split("/")
                assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
                assert name in document["components"][kind]
            for value in part.values():
                walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    walk(document)


def test_every_operation_says_who_may_and_how_it_fails(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.")
    assert document["components"]["securitySchemes"].keys() == {"Basic", "Bearer"}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            responses = operation["responses"]
            assert operation["summary"].endswith("."), (path, method)
            assert "200" in responses
            assert operation["security"] == ([] if path in gate.OPEN else [{"Basic": []}, {"Bearer": []}])
            assert path == "/api/health" or "401" in responses
            assert (operation["x-role"] == "admin") == ("403" in responses)
            assert ("requestBody" in operation) == ("415" in responses)


def test_ranges_choices_and_defaults_are_listed(document: dict[str, Any]) -> None:
    (limit, offset) = document["paths"]["/api/audit-log"]["get"]["parameters"]
    assert (limit["name"], limit["in"], limit["required"]) == ("limit", "query", False)
    assert limit["schema"].items() >= {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}.items()
    assert offset["schema"]["minimum"] == 0


def test_reads_answer_what_is_documented(app: APIFlask, admin: Client) -> None:
    seen = 0
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        shape = getattr(view, "_spec", {}).get("response", {}).get("schema")
        if "GET" not in (rule.methods or set()) or rule.arguments or not isinstance(shape, type):
            continue
        assert issubclass(shape, BaseModel)
        shape.model_validate(admin.get(rule.rule).json, strict=True)
        seen += 1
    assert seen >= 4


def test_the_page_names_every_route_and_loads_nothing_from_elsewhere(document: dict[str, Any], admin: Client) -> None:
    answer = admin.get("/api/docs")
    page = answer.get_data(as_text=True)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    for path in document["paths"]:
        assert f"<code>{path}</code>" in page
    assert "<script" not in page
    assert "style=" not in page
    assert "//" not in page
    (sheet,) = re.findall(r'href="(/static/[^"]+)"', page)
    with admin.get(sheet) as style:
        assert style.status_code == 200
