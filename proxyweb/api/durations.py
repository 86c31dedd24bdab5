"""How long requests took, as every list says it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from proxyweb.api.answers import Shape


class Timed(Shape):
    """What has requests, and so a time that these took."""

    elapsed_ms: Annotated[int, Field(description="How long the requests took, all together.")]
    mean_ms: Annotated[
        int | None,
        Field(description="How long on average; null where none took any time, as in a log that doesn't tell."),
    ]


def took(elapsed_ms: int, requests: int) -> dict[str, int | None]:
    """The fields of `Timed`."""
    return {"elapsed_ms": elapsed_ms, "mean_ms": round(elapsed_ms / requests) if elapsed_ms else None}
