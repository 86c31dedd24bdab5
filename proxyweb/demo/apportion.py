"""Sharing a whole number out by weight: lines over hours, slots of a pool over its members."""

from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

T = TypeVar("T")


def apportion(total: int, weights: Sequence[float]) -> list[int]:
    """Split `total` into whole parts in proportion to `weights`; the parts add up to `total` exactly."""
    scale = total / sum(weights)
    edges = [round(reached * scale) for reached in accumulate(weights)]
    return [edge - previous for previous, edge in zip([0, *edges], edges, strict=False)]


def zipf(count: int, exponent: float) -> list[float]:
    """Weights of ranks 1 to `count` under Zipf's law."""
    return [rank**-exponent for rank in range(1, count + 1)]


def pool(items: Sequence[T], weights: Sequence[float], slots: int) -> list[T]:
    """Repeat each item as often as its weight asks, so that a uniform draw from the list is a weighted one."""
    return [item for item, times in zip(items, apportion(slots, weights), strict=True) for _ in range(times)]
