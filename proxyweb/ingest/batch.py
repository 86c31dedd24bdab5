"""Rows as columns, as they go from the parser to the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxyweb.ingest.groups import Ints

Numbers = NDArray[np.int32]  # of a vocabulary
NUMBERED = ("client", "kind", "site", "peer", "user", "extension", "agent", "waf")
AMOUNTS = ("time_ms", "elapsed_ms", "bytes", "bytes_in")
TEXTS = ("rest", "referer")
NATIVE_COLUMNS = ("time_ms", "elapsed_ms", "client", "kind", "site", "bytes", "peer", "user", "rest", "extension")
OWN_COLUMNS = ("agent", "bytes_in", "waf", "referer")


def _numbers() -> Numbers:
    return np.zeros(0, np.int32)


def _amounts() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(slots=True)
class Batch:
    """Rows as columns, in file order. `client` … `waf` are numbers of the vocabularies; new values come with them.

    The columns of `OWN_COLUMNS` are empty unless the batch is `extended`; `waf` may be there all the same. `restart`
    says that numbering began anew. `rejected` lists `(position, reason, line)`. `end` is the position in the source
    behind this batch, and `crcs` and `tail_crc` are the hasher's up to there.
    """

    start: int
    end: int
    restart: bool = False
    extended: bool = False
    fresh: dict[str, list[Any]] = field(default_factory=dict)
    time_ms: Ints = field(default_factory=_amounts)
    elapsed_ms: Ints = field(default_factory=_amounts)
    client: Numbers = field(default_factory=_numbers)
    kind: Numbers = field(default_factory=_numbers)
    site: Numbers = field(default_factory=_numbers)
    bytes: Ints = field(default_factory=_amounts)
    peer: Numbers = field(default_factory=_numbers)
    user: Numbers = field(default_factory=_numbers)
    rest: list[str] = field(default_factory=list)
    extension: Numbers = field(default_factory=_numbers)
    agent: Numbers = field(default_factory=_numbers)
    bytes_in: Ints = field(default_factory=_amounts)
    waf: Numbers = field(default_factory=_numbers)
    referer: list[str] = field(default_factory=list)
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    crcs: list[int] = field(default_factory=list)
    tail_crc: int = 0

    def __len__(self) -> int:
        return len(self.time_ms)


Columns = dict[str, Any]  # by name: an array, or a list of texts


class Pieces:
    """The rows of a batch as they are found: columns of many, and between these, rows that came one by one."""

    def __init__(self) -> None:
        self.columns: list[Columns] = []
        self.single: list[tuple[Any, ...]] = []

    def add(self, columns: Columns) -> None:
        self._settle()
        self.columns.append(columns)

    def fill(self, batch: Batch) -> None:
        """Put everything into the batch."""
        self._settle()
        batch.extended = any("referer" in part for part in self.columns)
        for name in (NATIVE_COLUMNS + OWN_COLUMNS if batch.extended else NATIVE_COLUMNS) if self.columns else ():
            parts = [part[name] if name in part else _nothing(name, len(part["time_ms"])) for part in self.columns]
            if len(parts) == 1:
                setattr(batch, name, parts[0])
            else:
                setattr(batch, name, list(chain(*parts)) if name in TEXTS else np.concatenate(parts))

    def _settle(self) -> None:
        """Make columns of the rows that came one by one."""
        if self.single:
            names: tuple[str, ...] = NATIVE_COLUMNS + OWN_COLUMNS
            columns = dict(zip(names, map(list, zip(*self.single, strict=True)), strict=True))
            if not any(any(columns[name]) for name in OWN_COLUMNS):
                names = NATIVE_COLUMNS
            self.columns.append({name: _typed(name, columns[name]) for name in names})
            self.single = []


def _typed(name: str, column: list[Any]) -> Any:
    return column if name in TEXTS else np.array(column, np.int64 if name in AMOUNTS else np.int32)


def _nothing(name: str, count: int) -> Any:
    return [""] * count if name in TEXTS else np.zeros(count, np.int64 if name in AMOUNTS else np.int32)
