"""What the dashboard says, all of it from one file that the scripts read too: another language is another file."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson

from proxyweb.dashboard.assets import contents

LANGUAGE = "en"


@cache
def words() -> dict[str, Any]:
    return dict(orjson.loads(contents()[f"words/{LANGUAGE}.json"]))


def say(key: str, **values: object) -> str:
    """The words for `key`, such as `overview.title`, with `{name}` replaced by a value. Raises KeyError."""
    found: Any = words()
    for part in key.split("."):
        found = found[part]
    return str(found).format_map(values)
