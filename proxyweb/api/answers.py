"""What answers look like, for the OpenAPI document and the tests that hold the answers to it."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


class Shape(BaseModel):
    """Base of everything that is answered; nothing else may be in it."""

    model_config = ConfigDict(extra="forbid")


class Answer(Shape, Generic[T]):
    """What a read answers: `data`, an object or a list."""

    status: Literal["success"]
    data: T


class Page(Answer[list[T]], Generic[T]):
    """A part of a list, and how long the whole is."""

    total: int
    limit: int
    offset: int


class Done(Shape):
    """What an action answers."""

    status: Literal["success"]
    message: str


class FieldError(Shape):
    """One parameter or field that is at fault."""

    field: str
    message: str


class Failure(Shape):
    """What every failure answers."""

    status: Literal["error"]
    detail: str
    errors: list[FieldError] = []
