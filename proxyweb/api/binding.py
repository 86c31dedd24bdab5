"""Query strings and JSON bodies read into their pydantic models, strictly: `@query(Model)` and `@body(Model)`.

Both are APIFlask's `input` with an adapter of our own underneath, so the OpenAPI document lists what is really checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar, cast

import orjson
from apiflask.scaffold import APIScaffold
from apiflask.schema_adapters import registry
from apiflask.schema_adapters.pydantic import PydanticAdapter
from flask import Request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from proxyweb import json_text
from proxyweb.api import context
from proxyweb.errors import Invalid
from proxyweb.escaping import one_line

View = TypeVar("View", bound=Callable[..., Any])
CACHE_BUSTER = "_"
MOST_ERRORS = 10
BODY = "body"
NUL = "can't hold a NUL character"  # behind which SQLite does not look: as a search, it would find everything
MESSAGES = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "dict_type": "must be a JSON object",
    "list_type": "must be a list",
}


def query(model: type[BaseModel]) -> Callable[[View], View]:
    """Give the view its query string as `parameters`, an instance of `model`."""
    return _input(model, "query", "parameters")


def body(model: type[BaseModel]) -> Callable[[View], View]:
    """Give the view its JSON body as `payload`, an instance of `model`."""
    return _input(model, "json", "payload")


def answers(model: type[BaseModel], status: int = 200, description: str = "Success") -> Callable[[View], View]:
    """Document what the view answers. The view gives a finished response; nothing is converted at run time."""
    return APIScaffold.output(cast(Any, None), model, status_code=status, description=description)


def _input(model: type[BaseModel], location: str, argument: str) -> Callable[[View], View]:
    return APIScaffold.input(cast(Any, None), model, location=location, arg_name=argument)


class StrictAdapter(PydanticAdapter):
    """How APIFlask reads our models."""

    def validate_input(self, request: Request, location: str, **kwargs: Any) -> BaseModel:
        values = read_object(request) if location == "json" else read_query(request, self.model_class)
        try:
            made = self.model_class.model_validate(values, context={"now": context.now()})
        except ValidationError as error:
            raise Invalid([(_field(found["loc"]), _message(dict(found))) for found in _found(error)]) from error
        if location == "query" and (cut := [name for name, value in values.items() if "\0" in value]):
            raise Invalid([(name, NUL) for name in cut])
        return made

    def get_schema_name(self) -> str:
        """A name that OpenAPI allows: `Answer[Status]` becomes `Answer.Status`."""
        return re.sub(r"[^A-Za-z0-9_-]+", ".", self.model_class.__name__).strip(".")


registry.register("pydantic", StrictAdapter)


def read_query(request: Request, model: type[BaseModel] | None) -> dict[str, str]:
    """The query string as plain texts. Raises Invalid for a name that `model` does not declare, or given twice."""
    if not request.query_string:
        return {}
    declared = model.model_fields if model else {}
    values, errors = {}, []
    for name, given in request.args.lists():
        if name == CACHE_BUSTER:
            continue
        if name not in declared:
            errors.append((one_line(name, 64), "is not a parameter of this address"))
        elif len(given) > 1:
            errors.append((name, "is given more than once"))
        else:
            values[name] = given[0]
    if errors:
        raise Invalid(errors[:MOST_ERRORS])
    return values


def read_object(request: Request) -> dict[str, Any]:
    """The JSON object in the body; no body at all is an empty one, as `curl -X POST` sends it.

    Raises Invalid for anything else, 415 for another type, 413 past MAX_CONTENT_LENGTH (chunked bodies too).
    """
    data = request.get_data(cache=False)
    if not data:
        return {}
    if request.content_length is None and len(data) >= (request.max_content_length or len(data) + 1):
        raise RequestEntityTooLarge  # a chunked body is cut there in silence
    if request.mimetype != "application/json" or request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType
    try:
        found = json_text.loads(data)
    except orjson.JSONDecodeError as error:
        raise Invalid([(BODY, "is not valid JSON")]) from error
    if not isinstance(found, dict):
        raise Invalid([(BODY, "must be a JSON object")])
    return found


def refuse_undeclared(request: Request, declared: dict[str, Any]) -> None:
    """For what a view does not declare: no query string is taken, and no body. `declared` is its `_spec`."""
    if request.query_string and not any(location == "query" for _, location in declared.get("args", ())):
        read_query(request, None)
    if request.method in ("POST", "PUT", "PATCH", "DELETE") and "body" not in declared:
        unknown = read_object(request)
        if unknown:
            raise Invalid([(one_line(name, 64), MESSAGES["extra_forbidden"]) for name in list(unknown)[:MOST_ERRORS]])


def _found(error: ValidationError) -> list[Any]:
    return error.errors(include_url=False, include_input=False)[:MOST_ERRORS]


def _field(location: tuple[int | str, ...]) -> str:
    return one_line(".".join(map(str, location)), 64) or BODY


def _message(found: dict[str, Any]) -> str:
    """Pydantic's finding in plain words."""
    kind, details = found["type"], found.get("ctx", {})
    if kind == "literal_error":
        return f"must be one of {details['expected'].replace(chr(39), '').replace(' or ', ', ')}"
    if kind in ("string_too_short", "too_short"):
        return f"must be at least {details['min_length']} characters"
    if kind in ("string_too_long", "too_long"):
        return f"must be at most {details['max_length']} characters"
    return MESSAGES.get(kind, str(found["msg"]))
