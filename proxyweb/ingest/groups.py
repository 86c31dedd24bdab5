"""What a batch's rows add to the rollups: weights summed by key, one pass over a block for each key.

Keys are whatever numbers the columns hold: a vocabulary's while lines are read (in the parsing process, which has time
for it), the database's when rows are deleted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from proxyweb.ingest.weights import BYTES_BITS, BYTES_IN_BITS

FIVE_MINUTES_MS = 300_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
RECENT_HOURS = 49  # requests are counted by hour for so long; a window of 48 hours begins on the full hour before

Sums = dict[Any, int]  # key → weight, or key → Unix milliseconds for `last of client`; a key is a number, or several
Groups = dict[str, list[tuple[int, Sums]]]  # grouping → a bucket and its sums, perhaps several of one bucket


@dataclass
class Columns:
    """Rows by column. `agent`, `bytes_in` and `waf` may be empty, which stands for zeros."""

    time_ms: Sequence[int]
    client: Sequence[int]
    kind: Sequence[int]
    site: Sequence[int]
    bytes: Sequence[int]
    rest: Sequence[str]
    agent: Sequence[int] = ()
    bytes_in: Sequence[int] = ()
    waf: Sequence[int] = ()

    def in_order_of_time(self) -> Columns:
        """The same rows, sorted; themselves where they are, as they nearly always are."""
        times = list(self.time_ms)
        if times == sorted(times):
            return self
        order = itemgetter(*sorted(range(len(times)), key=times.__getitem__))
        return Columns(*(order(column) if column else () for column in vars(self).values()))


@dataclass
class Known:
    """What a grouping has to know of the values: how a kind weighs (REQUEST, and BLOCKED where it is), and which sites
    are addresses, or have a query or fragment right behind them instead of a path."""

    extension: Callable[[str], int]
    weight_of_kind: dict[int, int] = field(default_factory=dict)
    waf_kinds: set[int] = field(default_factory=set)
    address_sites: set[int] = field(default_factory=set)
    pathless_sites: set[int] = field(default_factory=set)


def group(columns: Columns, known: Known, by_hour_from_ms: int = 0) -> Groups:
    """All groupings of some rows; empty for no rows. Those by hour only for rows of which some are not older than
    `by_hour_from_ms` (Unix milliseconds)."""
    if not columns.time_ms:
        return {}
    groups: Groups = defaultdict(list)
    rows = columns.in_order_of_time()
    weight_of_kind = known.weight_of_kind
    if rows.bytes_in:
        weights = [
            size_in << BYTES_IN_BITS | size << BYTES_BITS | weight_of_kind[kind]
            for size_in, size, kind in zip(rows.bytes_in, rows.bytes, rows.kind, strict=True)
        ]
    else:
        weights = [size << BYTES_BITS | weight_of_kind[kind] for size, kind in zip(rows.bytes, rows.kind, strict=True)]
    extensions = _extensions(rows, known)
    for bucket, start, end in spans(rows.time_ms, FIVE_MINUTES_MS):
        groups["all"].append((bucket, {0: sum(weights[start:end])}))
    is_address, kinds = known.address_sites, rows.kind
    for hour, start, end in spans(rows.time_ms, HOUR_MS):
        groups["outcome"].append((hour, _summed(kinds[start:end], weights[start:end])))
        if chosen := [at for at, site in enumerate(rows.site[start:end], start) if site in is_address]:
            groups["outcome to address"].append((hour, _summed_at(chosen, kinds, weights)))
    for name, unit in (("day", DAY_MS), ("hour", HOUR_MS)):
        if name == "day" or rows.time_ms[-1] >= by_hour_from_ms:
            for bucket, start, end in spans(rows.time_ms, unit):
                for grouping, sums in _of_bucket(rows, extensions, weights, slice(start, end), known):
                    groups[f"{grouping} by {name}"].append((bucket, sums))
    return dict(groups)


def _of_bucket(
    rows: Columns, extensions: list[int], weights: list[int], part: slice, known: Known
) -> Iterator[tuple[str, Sums]]:
    """The rows of one bucket, by everything they are counted by."""
    some, clients, kinds, sites = weights[part], rows.client[part], rows.kind[part], rows.site[part]
    yield "client", _summed(clients, some)
    yield "last of client", dict(zip(clients, rows.time_ms[part], strict=True))
    yield "site", _summed(sites, some)
    yield "extension", _summed_where(extensions[part], some)
    if rows.agent:
        yield "agent", _summed_where(rows.agent[part], some)
    if rows.waf:
        yield "waf", _summed_where(rows.waf[part], some)
    if known.waf_kinds and not known.waf_kinds.isdisjoint(kinds):
        agents, verdicts = (column[part] or (0,) * len(some) for column in (rows.agent, rows.waf))
        chosen = [at for at, kind in enumerate(kinds) if kind in known.waf_kinds]
        yield "waf_block", _summed_at(chosen, list(zip(sites, agents, verdicts, strict=True)), some)


def spans(times: Sequence[int], unit: int) -> Iterator[tuple[int, int, int]]:
    """`(bucket, start, end)` for each bucket of `unit` milliseconds that sorted times fall into."""
    start, count = 0, len(times)
    while start < count:
        bucket = times[start] // unit
        end = count if times[-1] // unit == bucket else bisect_left(times, (bucket + 1) * unit, start)
        yield bucket, start, end
        start = end


def _extensions(rows: Columns, known: Known) -> list[int]:
    number, pathless = known.extension, known.pathless_sites
    if pathless and not pathless.isdisjoint(rows.site):
        return [
            number(rest) if "." in rest and site not in pathless else 0
            for rest, site in zip(rows.rest, rows.site, strict=True)
        ]
    return [number(rest) if "." in rest else 0 for rest in rows.rest]


def _summed(keys: Iterable[int], weights: Iterable[int]) -> Sums:
    sums: Sums = defaultdict(int)
    for key, weight in zip(keys, weights, strict=True):
        sums[key] += weight
    return dict(sums)


def _summed_where(keys: Iterable[int], weights: Iterable[int]) -> Sums:
    """Of the rows that have a value: 0 is none."""
    sums: Sums = defaultdict(int)
    for key, weight in zip(keys, weights, strict=True):
        if key:
            sums[key] += weight
    return dict(sums)


def _summed_at(rows: Iterable[int], keys: Sequence[Any], weights: Sequence[int]) -> Sums:
    sums: Sums = defaultdict(int)
    for row in rows:
        sums[keys[row]] += weights[row]
    return dict(sums)


class ServiceUse:
    """A service's use by one client on one day: a weight, and the first and last time in Unix milliseconds."""

    __slots__ = ("first_ms", "last_ms", "weight")

    def __init__(self, moment: int) -> None:
        self.weight = 0
        self.first_ms = self.last_ms = moment

    def add(self, other: ServiceUse) -> None:
        self.weight += other.weight
        self.first_ms = min(self.first_ms, other.first_ms)
        self.last_ms = max(self.last_ms, other.last_ms)


def group_services(
    columns: Columns, hosts: Sequence[int], service_of_host: Mapping[int, int], weight_of_kind: Mapping[int, int],
    unit: int,
) -> dict[tuple[int, int, int], ServiceUse]:  # fmt: skip
    """The rows to a service by bucket (of `unit` milliseconds), service and client. `hosts` and the columns hold the
    database's ids, since what is a service's is what the database says; `service_of_host` holds only hosts that have
    one."""
    uses: dict[tuple[int, int, int], ServiceUse] = {}
    for at, host in enumerate(hosts):
        if host in service_of_host:
            moment = columns.time_ms[at]
            key = (moment // unit, service_of_host[host], columns.client[at])
            use = uses.get(key)
            if use is None:
                use = uses[key] = ServiceUse(moment)
            elif moment > use.last_ms:
                use.last_ms = moment
            elif moment < use.first_ms:
                use.first_ms = moment
            use.weight += columns.bytes[at] << BYTES_BITS | weight_of_kind[columns.kind[at]]
    return uses
