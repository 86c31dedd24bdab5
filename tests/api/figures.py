"""The rows of answers, as tests compare them."""

from __future__ import annotations

from typing import Any


def figures(row: dict[str, Any]) -> tuple[Any, ...]:
    """The values of a row in its order, without how long its requests took: that is `test_durations`'."""
    return tuple(value for name, value in row.items() if name not in ("elapsed_ms", "mean_ms"))
