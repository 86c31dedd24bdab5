"""The WAF's verdict on requests that its helper did not judge, from what the log has of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxyweb.ingest.groups import Column
from proxyweb.ingest.record import WafVerdict
from proxyweb.waf.bulk import Bulk, ordinary
from proxyweb.waf.engine import Engine
from proxyweb.waf.request import AGENT, METHOD, PATH, QUERY, RAW, Value, host_value, values

Found = frozenset[int]
Numbers = NDArray[np.int32]
_HOST_AND_PORT = re.compile(r"[A-Za-z0-9.-]+:\d+").fullmatch
OF_URLS = (RAW, PATH, QUERY)
UNKNOWN, INNOCENT, GUILTY = 0, 1, 2


class Scoring:
    """An engine made ready to judge many requests at once. Inspectors share it, one at a time."""

    def __init__(self, engine: Engine, cache: Path | None = None) -> None:
        """`cache` is the folder of compiled patterns. Raises ConfigError."""
        self.engine = engine
        self.bulk = Bulk(engine, cache)

    def with_engine(self, engine: Engine) -> Scoring:
        """The same rules, of which others are on: at once."""
        other = copy(self)
        other.engine = engine
        return other


class Inspector:
    """Judges rows, given by their numbers in an encoder's vocabularies; remembers what it found in each of these."""

    def __init__(self, scoring: Scoring) -> None:
        self._engine, self._bulk = scoring.engine, scoring.bulk
        self._methods: list[str] = []
        self._prefixes: list[str] = []
        self._agents = [""]
        self._connects = Column()  # 1 or 0 by the number of the kind
        self._unusual = Column()  # 1 or 0 by the number of the site
        self._in_methods = _Remembered(lambda kinds: self._one_by_one(kinds, self._of_method))
        self._in_agents = _Remembered(lambda agents: self._one_by_one(agents, self._of_agent))
        self._in_hosts = _Remembered(self._hosts)
        self._in_sites = _Remembered(self._sites)
        self._known_hosts: dict[str, Found] = {"": frozenset()}  # several sites have the same

    def learn(self, fresh: dict[str, list[Any]]) -> None:
        """Take up the values that a batch brings."""
        methods, prefixes = ([values[0] for values in fresh[name]] for name in ("kind", "site"))
        self._methods += methods
        self._connects.extend([method == "CONNECT" for method in methods])
        self._prefixes += prefixes
        self._unusual.extend([not ordinary(prefix) for prefix in prefixes])
        self._agents += [agent[0] for agent in fresh["agent"]]

    def guilty(
        self, kinds: Numbers, sites: Numbers, rests: Sequence[str], agents: Numbers, referers: Sequence[str]
    ) -> dict[int, WafVerdict]:
        """The verdicts by the place of the row, where anything was found: as the engine judges the same request.

        `agents` and `referers` may be empty, for requests without.
        """
        found: defaultdict[int, set[int]] = defaultdict(set)
        ways = sites * 2 + self._connects.of(kinds)
        _add(found, self._in_methods.held(kinds))
        _add(found, self._in_agents.held(agents))
        _add(found, self._in_hosts.held(ways))
        longer = np.fromiter(map(bool, rests), np.bool_, len(rests))
        _add(found, self._in_sites.held(ways[~longer]), np.flatnonzero(~longer))
        prefixes = list(map(self._prefixes.__getitem__, sites[longer].tolist()))
        unusual = np.flatnonzero(self._unusual.of(sites[longer])).tolist()
        in_urls = self._bulk.in_urls(prefixes, list(filter(None, rests)), unusual)
        _add(found, in_urls.items(), np.flatnonzero(longer))
        referred = [place for place, referer in enumerate(referers) if referer]
        in_referers = self._bulk.in_referers([referers[place] for place in referred])
        _add(found, in_referers.items(), np.array(referred, np.int64))
        verdicts = ((place, self._engine.verdict(rules)) for place, rules in found.items())
        return {
            place: WafVerdict(verdict.score, ",".join(verdict.categories), ",".join(verdict.rules))
            for place, verdict in verdicts
            if verdict.score
        }

    def _one_by_one(self, numbers: Sequence[int], values_of: Callable[[int], Iterable[Value]]) -> dict[int, Found]:
        return {number: self._engine.found(values_of(number)) for number in numbers}

    def _of_method(self, kind: int) -> Iterable[Value]:
        return [Value(METHOD, self._methods[kind][:64])]

    def _of_agent(self, agent: int) -> Iterable[Value]:
        text = self._agents[agent]
        return (value for value in values("", "", {"user-agent": text}) if value.target == AGENT) if text else ()

    def _of_site(self, way: int) -> Iterable[Value]:
        """What a site is by itself; an odd number is that of a CONNECT to it."""
        return values("CONNECT" if way % 2 else "", self._prefixes[way // 2])

    def _hosts(self, ways: Sequence[int]) -> dict[int, Found]:
        hosts = {way: host_value("CONNECT" if way % 2 else "", self._prefixes[way // 2]) for way in ways}
        new = [host for host in set(hosts.values()) if host not in self._known_hosts]
        found = self._bulk.in_hosts(new)
        self._known_hosts.update((host, found.get(place, frozenset())) for place, host in enumerate(new))
        return {way: self._known_hosts[host] for way, host in hosts.items()}

    def _sites(self, ways: Sequence[int]) -> dict[int, Found]:
        connects = [way for way in ways if way % 2 and _HOST_AND_PORT(self._prefixes[way // 2])]
        found = self._bulk.in_connects([self._prefixes[way // 2] for way in connects])
        others = set(ways) - set(connects)
        return {connects[place]: rules for place, rules in found.items()} | self._one_by_one(
            sorted(others), lambda way: (value for value in self._of_site(way) if value.target in OF_URLS)
        )


class _Remembered:
    """The rules that hold for what a number stands for, asked once for each; `find` leaves out those with none."""

    def __init__(self, find: Callable[[Sequence[int]], Mapping[int, Found]]) -> None:
        self._find = find
        self._state = np.zeros(1024, np.int8)
        self._found: dict[int, Found] = {}

    def held(self, numbers: Numbers) -> list[tuple[int, Found]]:
        """The places of the numbers for which rules hold, and these."""
        if not len(numbers):
            return []
        if numbers.max() >= len(self._state):
            self._state = np.concatenate((self._state, np.zeros(int(numbers.max()), np.int8)))
        unknown = np.unique(numbers[self._state[numbers] == UNKNOWN])
        if len(unknown):
            found = {number: rules for number, rules in self._find(unknown.tolist()).items() if rules}
            self._found |= found
            self._state[unknown] = INNOCENT
            self._state[list(found)] = GUILTY
        guilty = np.flatnonzero(self._state[numbers] == GUILTY)
        return [(place, self._found[int(numbers[place])]) for place in guilty.tolist()]


def _add(
    found: defaultdict[int, set[int]], some: Iterable[tuple[int, Found]], places: NDArray[np.int64] | None = None
) -> None:
    """Add what was found at each place; `places` says which row each stands for."""
    for place, rules in some:
        found[place if places is None else int(places[place])] |= rules
