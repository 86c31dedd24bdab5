"""The types that parameters and bodies are made of, and what they say when a value does not fit.

Everything is strict: out of range is an error, never clamped; digits are ASCII; nothing is guessed. Messages read as
the end of a sentence that begins with the field's name: "limit: must be a whole number from 1 to 1000".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

LARGEST = 2**63 - 1
DIGITS = re.compile(r"-?[0-9]{1,19}", re.ASCII)
RELATIVE = re.compile(r"-([0-9]{1,9})([smhd])", re.ASCII)
UNIX = re.compile(r"([0-9]{1,11})(?:\.([0-9]{1,9}))?", re.ASCII)
WRITTEN = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})?)?",
    re.ASCII,
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Query(BaseModel):
    """Base of every query string. A name that is not declared is refused, except `_`, the cache-buster."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Payload(BaseModel):
    """Base of every JSON body. A field that is not declared is refused; nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def wrong(message: str) -> PydanticCustomError:
    """The error a value is refused with. Braces would be placeholders."""
    return PydanticCustomError("refused", "{message}", {"message": message})


@dataclass(frozen=True)
class Whole:
    """A whole number in a range: `Annotated[int, Whole(1, 1000)]`. From JSON a number, from a query string digits."""

    low: int = 0
    high: int = LARGEST

    def parse(self, value: object) -> int:
        if isinstance(value, str) and DIGITS.fullmatch(value):
            value = int(value)
        if type(value) is not int or not self.low <= value <= self.high:
            raise wrong(f"must be a whole number {self.range}")
        return value

    @property
    def range(self) -> str:
        return f"from {self.low} to {self.high}" if self.high < LARGEST else f"of at least {self.low}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


class _Flag:
    """`true` or `false`, as JSON or as text."""

    @staticmethod
    def parse(value: object) -> bool:
        if value in ("true", "false"):
            return value == "true"
        if isinstance(value, bool):
            return value
        raise wrong("must be true or false")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "boolean"}


Flag = Annotated[bool, _Flag()]


def instant(text: str, now: float) -> int:
    """A time as people and programs write it, in Unix milliseconds.

    `YYYY-MM-DD HH:MM:SS` (UTC), a date alone, ISO 8601 with an offset or Z, Unix seconds with or without decimals, and
    relative to `now` (Unix seconds): `-15m`, `-24h`, `-7d`, `-30s`. Raises ValueError for anything else.
    """
    if relative := RELATIVE.fullmatch(text):
        return _since_1970(int(now * 1000) - int(relative[1]) * UNIT_MS[relative[2]])
    if unix := UNIX.fullmatch(text):
        return int(unix[1]) * 1000 + int(f"{unix[2] or '':0<3}"[:3])
    if not (written := WRITTEN.fullmatch(text)):
        raise ValueError("not a time")
    when = datetime.fromisoformat(text)
    if written["offset"] is None:
        when = when.replace(tzinfo=UTC)
    return _since_1970((when - EPOCH) // timedelta(milliseconds=1))


def _since_1970(milliseconds: int) -> int:
    if milliseconds < 0:
        raise ValueError("before 1970")
    return milliseconds


class _Instant:
    """A point in time; the validation's context holds `now`."""

    @staticmethod
    def parse(value: object, info: core_schema.ValidationInfo[dict[str, float]]) -> int:
        try:
            if isinstance(value, str) and info.context is not None:
                return instant(value, info.context["now"])
        except (ValueError, OverflowError):
            pass
        raise wrong(
            "must be a time: YYYY-MM-DD HH:MM:SS (UTC), ISO 8601, Unix seconds, or relative such as -15m, -24h, -7d"
        )

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "type": "string",
            "description": "`YYYY-MM-DD HH:MM:SS` (UTC), ISO 8601, Unix seconds, or relative: `-15m`, `-24h`, `-7d`",
            "examples": ["2026-01-31 08:00:00", "2026-01-31T08:00:00+01:00", "1769846400", "-24h"],
        }


Instant = Annotated[int, _Instant()]
