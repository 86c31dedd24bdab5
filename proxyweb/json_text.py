"""JSON that is read, by orjson."""

from __future__ import annotations

from typing import Any

import orjson

NO_MEMORY = "Not enough memory"


def loads(text: bytes | str) -> Any:
    """What a text holds. Raises orjson.JSONDecodeError.

    Raises MemoryError where there is no memory to read it, which orjson calls a mistake in the text.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if error.msg.startswith(NO_MEMORY):
            raise MemoryError from error
        raise
