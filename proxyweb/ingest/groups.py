"""Rows as columns of numbers, and which of them belong together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FIVE_MINUTES_MS = 300_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
RECENT_HOURS = 49  # requests are counted by hour for so long; a window of 48 hours begins on the full hour before

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
_WIDEST = 1 << 62


def ints(values: Iterable[int]) -> Ints:
    """The numbers as a column."""
    return np.array(values if isinstance(values, Sequence) else list(values), np.int64)


class Column:
    """A column that grows: what stands at each number of a vocabulary."""

    def __init__(self, values: Sequence[int] = ()) -> None:
        self._room = np.zeros(64, np.int64)
        self._held = 0
        self.extend(values)

    def __len__(self) -> int:
        return self._held

    def extend(self, values: Sequence[int] | Ints) -> None:
        end = self._held + len(values)
        if end > len(self._room):
            room = np.zeros(end + end // 8 + 64, np.int64)
            room[: self._held] = self._room[: self._held]
            self._room = room
        self._room[self._held : end] = values
        self._held = end

    def of(self, numbers: NDArray[np.integer]) -> Ints:
        """What stands at each of these numbers. Raises IndexError for one that is not there."""
        if len(numbers) and numbers.max() >= self._held:
            raise IndexError(f"{numbers.max()} is not among {self._held} numbers")
        found: Ints = self._room[numbers]
        return found


class KindFacts(NamedTuple):
    """What counts of a kind of result."""

    reason: str
    cache: str
    opaque: bool


class FactsOfKind(dict[int, KindFacts]):
    """The facts of each kind by its id; grows, and never changes."""

    def __init__(self, facts: Iterable[tuple[int, KindFacts]] = ()) -> None:
        super().__init__(facts)
        self._holds: dict[tuple[str, tuple[str | bool, ...]], tuple[int, Flags]] = {}

    def holds(self, fact: str, values: tuple[str | bool, ...]) -> Flags:
        """By id, whether a kind's `fact` is one of `values`."""
        known, flags = self._holds.get((fact, values), (-1, None))
        if flags is None or known != len(self):
            flags = np.zeros(max(self, default=0) + 1, np.bool_)
            flags[[kind for kind, facts in self.items() if getattr(facts, fact) in values]] = True
            self._holds[fact, values] = (len(self), flags)
        return flags


class Rows:
    """Rows that are counted, by column, in the order of their ids. Ids are the database's; 0 is none.

    The columns are `time_ms`, the ids of what rows are counted by (`client_id` … `waf_id`), `is_address`, `bytes`,
    `bytes_in`, `elapsed_ms` and `entropy`. `service_id` is that of the row's host; `is_address` is 1 where the host is
    an address.
    """

    def __init__(self, columns: Mapping[str, Ints], facts_of_kind: FactsOfKind) -> None:
        self.columns = columns
        self.facts_of_kind = facts_of_kind

    def __len__(self) -> int:
        return len(self.columns["time_ms"])

    def __getitem__(self, name: str) -> Ints:
        return self.columns[name]

    def only(self, chosen: Flags) -> Rows:
        """The rows that are marked."""
        if chosen.all():
            return self
        if not chosen.any():
            return Rows(dict.fromkeys(self.columns, np.zeros(0, np.int64)), self.facts_of_kind)
        return Rows({name: column[chosen] for name, column in self.columns.items()}, self.facts_of_kind)

    def of_kinds(self, fact: str, values: tuple[str | bool, ...]) -> Flags:
        """Which rows have a kind of result whose `fact` is one of `values`."""
        return self.facts_of_kind.holds(fact, values)[self["kind_id"]]


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts, one behind another; there is at least one part."""
    if len(parts) == 1:
        return parts[0]
    return Rows(
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0].columns}, parts[-1].facts_of_kind
    )


class Groups:
    """Rows that agree in all of some columns. What is said of groups is in the order of these columns."""

    def __init__(self, *columns: Ints) -> None:
        key = _one_key(columns)
        self._order = ordered(key)
        sorted_key = key[self._order]
        self._starts = np.flatnonzero(np.concatenate(([True], sorted_key[1:] != sorted_key[:-1])))
        self._count = len(key)

    def sizes(self) -> Ints:
        """How many rows are in each."""
        return np.diff(self._starts, append=self._count)

    def sums(self, column: Ints) -> Ints:
        return np.add.reduceat(column[self._order], self._starts)

    def least(self, column: Ints) -> Ints:
        return np.minimum.reduceat(column[self._order], self._starts)

    def greatest(self, column: Ints) -> Ints:
        return np.maximum.reduceat(column[self._order], self._starts)

    def values(self, column: Ints) -> Ints:
        """What stands in a column that is the same in all rows of a group."""
        return column[self._order[self._starts]]


def first_rows(order: Ints, *columns: Ints) -> Ints:
    """For each combination of values in `columns`, the row that is first in `order`, which lists some rows."""
    if not len(order):
        return order
    key = _one_key(columns)[order]
    by_key = ordered(key)
    found = key[by_key]
    starts = np.concatenate(([True], found[1:] != found[:-1]))
    first: Ints = order[by_key[starts]]
    return first


def ordered(key: Ints) -> NDArray[np.intp]:
    """The places of numbers from 0 up in the order of these; equal ones stay in theirs.

    NumPy sorts 16 bits by radix, which is ten times as fast as comparing: narrow numbers go by that, or twice.
    """
    widest = int(key.max(initial=0))
    if widest < 1 << 16:
        return np.argsort(key.astype(np.uint16), kind="stable")
    if widest < 1 << 32:
        by_low = np.argsort(key.astype(np.uint16), kind="stable")
        return by_low[np.argsort((key[by_low] >> 16).astype(np.uint16), kind="stable")]
    return np.argsort(key, kind="stable")


def _one_key(columns: Sequence[Ints]) -> Ints:
    """A number for each row that is in the order of the columns, and the same where all of them are."""
    key: Ints = columns[0] - columns[0].min()
    width = int(key.max()) + 1
    for column in columns[1:]:
        wide = int(column.max()) + 1
        if width * wide > _WIDEST:
            found, key = np.unique(key, return_inverse=True)
            width = len(found)
        key = key * wide + column
        width *= wide
    return key
