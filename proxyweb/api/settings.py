"""The settings."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response
from pydantic import BaseModel, ConfigDict

from proxyweb.api import context
from proxyweb.api.answers import Answer, Done, Shape
from proxyweb.api.binding import answers, body
from proxyweb.api.conditional import conditional
from proxyweb.api.envelope import done, success
from proxyweb.api.parameters import Payload
from proxyweb.errors import NotFound
from proxyweb.escaping import one_line
from proxyweb.setting_changes import change
from proxyweb.settings import BY_NAME, text

blueprint = APIBlueprint("settings", __name__, tag="Settings")


class Setting(Shape):
    """A setting; its value is text: `true`, `false`, a number, or what its name says."""

    setting_name: str
    setting_value: str


class NewValue(Payload):
    """A setting's new value, as JSON or as text."""

    value: bool | int | str


class NewValues(BaseModel):
    """Settings and their new values, as JSON or as text: all are stored, or none."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, bool | int | str]


@blueprint.get("/api/settings")
@conditional()
@answers(Answer[list[Setting]])
def list_settings() -> Response:
    """Every setting with its value."""
    values = context.settings()
    return success([{"setting_name": name, "setting_value": text(value)} for name, value in values.items()])


@blueprint.put("/api/settings/<name>")
@body(NewValue)
@answers(Done)
def set_setting(name: str, payload: NewValue) -> Response:
    """Change one setting."""
    if name not in BY_NAME:
        raise NotFound(f"There is no setting {one_line(name, 64)}.")
    _change({name: payload.value})
    return done(f"{name} is set.")


@blueprint.post("/api/settings")
@body(NewValues)
@answers(Done)
def set_settings(payload: NewValues) -> Response:
    """Change several settings, all or none."""
    _change(payload.model_extra or {})
    return done("The settings are stored.")


def _change(given: dict[str, object]) -> None:
    with context.writing() as session:
        change(
            session,
            given,
            now=context.now(),
            username=context.identity().username,
            address=context.client_address(),
        )
