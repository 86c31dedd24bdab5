"""What a transaction adds to the rollups: the groups of its batches, by the database's ids, until it is committed."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from proxyweb.ingest.groups import DAY_MS, HOUR_MS, Groups, ServiceUse
from proxyweb.ingest.rollups import HOURLY_REQUESTS, ROLLUPS, Chosen, KindFacts, Rollup
from proxyweb.ingest.weights import UNPACKED, bytes_in, bytes_out, requests

Ids = Mapping[str, Any]  # by dimension: from the number in a column to the id in its table, a list or a mapping
Uses = Mapping[tuple[int, int, int], ServiceUse]


class Totals:
    """Weights by grouping, bucket and key, and where a rollup keeps it, the last time likewise."""

    def __init__(self) -> None:
        self.sums: defaultdict[str, defaultdict[int, defaultdict[Any, int]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(int))
        )
        self.last_of_client: defaultdict[str, defaultdict[int, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
        self.uses: defaultdict[str, dict[tuple[int, int, int], ServiceUse]] = defaultdict(dict)

    def clear(self) -> None:
        self.sums.clear()
        self.last_of_client.clear()
        self.uses.clear()

    def add(self, groups: Groups, ids: Ids, host_of_site: Sequence[int] | Mapping[int, int]) -> None:
        """The groups of a batch, whose keys `ids` translates; `host_of_site` has a site's host by the key itself."""
        clients, kinds = ids["client"], ids["kind"]
        self._add(groups, "all", "all", (0,))
        self._add(groups, "outcome to address", "outcome to address", kinds)
        by_day, by_hour = self.sums["kind by day"], self.sums["kind by hour"]
        for hour, found in groups.get("outcome", ()):
            day_sums, hour_sums = by_day[hour * HOUR_MS // DAY_MS], by_hour[hour]
            for key, weight in found.items():
                kind = kinds[key]
                day_sums[kind] += weight
                hour_sums[kind] += weight
        for bucket in ("day", "hour"):
            for name, grouping, id_of in (
                ("client", "client", clients),
                ("extension", "extension", ids["extension"]),
                ("agent", "agent", ids["agent"]),
                ("waf", "waf", ids["waf"]),
                ("site", "host", host_of_site),
            ):
                self._add(groups, f"{name} by {bucket}", f"{grouping} by {bucket}", id_of)
            for number, found in groups.get(f"waf_block by {bucket}", ()):
                sums = self.sums[f"waf_block by {bucket}"][number]
                for (site, agent, verdict), weight in found.items():
                    sums[host_of_site[site], ids["agent"][agent], ids["waf"][verdict]] += weight
            for number, found in groups.get(f"last of client by {bucket}", ()):
                last = self.last_of_client[f"client by {bucket}"][number]
                for key, moment in found.items():
                    client = clients[key]
                    if last.get(client, 0) < moment:
                        last[client] = moment

    def _add(self, groups: Groups, name: str, grouping: str, id_of: Any) -> None:
        for bucket, found in groups.get(name, ()):
            sums = self.sums[grouping][bucket]
            for key, weight in found.items():
                sums[id_of[key]] += weight

    def add_services(self, bucket: str, uses: Uses) -> None:
        """What `group_services` found by `day` or by `hour`."""
        known = self.uses[f"service by {bucket}"]
        for key, use in uses.items():
            if key in known:
                known[key].add(use)
            else:
                known[key] = use

    def flush(self, conn: sqlite3.Connection, facts_of_kind: Mapping[int, KindFacts], recent_from: int) -> None:
        """Add everything to the tables and begin anew; by hour only from `recent_from` on."""
        for rollup in ROLLUPS:
            conn.executemany(rollup.upsert, self._kept(rollup, facts_of_kind, recent_from))
        self.clear()

    def take_away(self, conn: sqlite3.Connection, facts_of_kind: Mapping[int, KindFacts], recent_from: int) -> None:
        """Take everything out of the tables and begin anew; what stays must be later than what goes."""
        for rollup in ROLLUPS:
            first, end = len(rollup.known_by), len(rollup.known_by) + len(rollup.counted)
            rows = self._kept(rollup, facts_of_kind, recent_from)
            conn.executemany(
                rollup.upsert, ((*row[:first], *(-value for value in row[first:end]), *row[end:]) for row in rows)
            )
            conn.execute(f"DELETE FROM {rollup.table} WHERE requests = 0")
        self.clear()

    def _kept(
        self, rollup: Rollup, facts_of_kind: Mapping[int, KindFacts], recent_from: int
    ) -> Iterable[tuple[int, ...]]:
        rows = self._rows(rollup, facts_of_kind)
        return (row for row in rows if row[0] >= recent_from) if rollup.recent else rows

    def _rows(self, rollup: Rollup, facts_of_kind: Mapping[int, KindFacts]) -> Iterable[tuple[int, ...]]:
        if rollup is HOURLY_REQUESTS:
            return self._by_kind(facts_of_kind)
        unpacked = UNPACKED[tuple(measure.name for measure in rollup.measures)]
        if rollup.grouping in self.uses:
            return [(*key, *unpacked(use.weight), use.last_ms) for key, use in self.uses[rollup.grouping].items()]
        buckets = self.sums[rollup.grouping].items()
        if not rollup.keys:
            return [(bucket, *unpacked(sums[0])) for bucket, sums in buckets]
        if len(rollup.keys) > 1:
            return [(bucket, *key, *unpacked(weight)) for bucket, sums in buckets for key, weight in sums.items()]
        if rollup.last:
            last = self.last_of_client[rollup.grouping]
            return [
                (bucket, key, *unpacked(weight), last[bucket][key])
                for bucket, sums in buckets
                for key, weight in sums.items()
            ]
        return [(bucket, key, *unpacked(weight)) for bucket, sums in buckets for key, weight in sums.items()]

    def _by_kind(self, facts_of_kind: Mapping[int, KindFacts]) -> Iterator[tuple[int, ...]]:
        for hour, sums in self.sums["kind by hour"].items():
            to_addresses: Mapping[int, int] = self.sums["outcome to address"].get(hour, {})
            total = sum(sums.values())
            counted = (
                _chosen(column, to_addresses if column.to_addresses else sums, facts_of_kind)
                for column in HOURLY_REQUESTS.chosen
            )
            yield (hour, requests(total), *counted, bytes_out(total), bytes_in(total))


def _chosen(column: Chosen, sums: Mapping[int, int], facts_of_kind: Mapping[int, KindFacts]) -> int:
    of = bytes_out if column.of_bytes else requests
    return sum(
        of(weight) for kind, weight in sums.items() if getattr(facts_of_kind[kind], column.fact) in column.values
    )
