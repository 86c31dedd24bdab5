"""The WAF's verdict on requests that its helper did not judge, from what the log has of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxyweb.ingest.record import WafVerdict
from proxyweb.waf.bulk import Bulk
from proxyweb.waf.engine import Engine
from proxyweb.waf.request import AGENT, HOST, METHOD, PATH, QUERY, RAW, Value, values

Found = frozenset[int]
Numbers = NDArray[np.int32]
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
        self._in_methods = _Remembered(self._engine, lambda kind: [Value(METHOD, self._methods[kind][:64])])
        self._in_agents = _Remembered(self._engine, self._of_agent)
        self._in_hosts = _Remembered(self._engine, lambda way: self._of_site(way, (HOST,)))
        self._in_sites = _Remembered(self._engine, lambda way: self._of_site(way, OF_URLS))

    def learn(self, fresh: dict[str, list[Any]]) -> None:
        """Take up the values that a batch brings."""
        self._methods += [kind[0] for kind in fresh["kind"]]
        self._prefixes += [site[0] for site in fresh["site"]]
        self._agents += [agent[0] for agent in fresh["agent"]]

    def guilty(
        self, kinds: Numbers, sites: Numbers, rests: Sequence[str], agents: Numbers, referers: Sequence[str]
    ) -> dict[int, WafVerdict]:
        """The verdicts by the place of the row, where anything was found: as the engine judges the same request.

        `agents` and `referers` may be empty, for requests without.
        """
        found: defaultdict[int, set[int]] = defaultdict(set)
        connects = np.fromiter((method == "CONNECT" for method in self._methods), np.bool_, len(self._methods))
        ways = sites * 2 + connects[kinds]
        _add(found, self._in_methods.held(kinds))
        _add(found, self._in_agents.held(agents))
        _add(found, self._in_hosts.held(ways))
        alone = np.fromiter((not rest for rest in rests), np.bool_, len(rests))
        _add(found, self._in_sites.held(ways[alone]), np.flatnonzero(alone))
        others = np.flatnonzero(~alone)
        prefixes = [self._prefixes[site] for site in sites[others].tolist()]
        _add(found, self._bulk.in_urls(prefixes, [rests[place] for place in others.tolist()]).items(), others)
        referred = [place for place, referer in enumerate(referers) if referer]
        in_referers = self._bulk.in_referers([referers[place] for place in referred])
        _add(found, in_referers.items(), np.array(referred, np.int64))
        verdicts = ((place, self._engine.verdict(rules)) for place, rules in found.items())
        return {
            place: WafVerdict(verdict.score, ",".join(verdict.categories), ",".join(verdict.rules))
            for place, verdict in verdicts
            if verdict.score
        }

    def _of_agent(self, agent: int) -> Iterable[Value]:
        text = self._agents[agent]
        return (value for value in values("", "", {"user-agent": text}) if value.target == AGENT) if text else ()

    def _of_site(self, way: int, targets: tuple[str, ...]) -> Iterable[Value]:
        """What a site is by itself; an odd number is that of a CONNECT to it."""
        prefix = self._prefixes[way // 2]
        return (value for value in values("CONNECT" if way % 2 else "", prefix) if value.target in targets)


class _Remembered:
    """The rules that hold for what a number stands for, asked once for each."""

    def __init__(self, engine: Engine, values_of: Callable[[int], Iterable[Value]]) -> None:
        self._engine = engine
        self._values_of = values_of
        self._state = np.zeros(1024, np.int8)
        self._found: dict[int, Found] = {}

    def held(self, numbers: Numbers) -> list[tuple[int, Found]]:
        """The places of the numbers for which rules hold, and these."""
        if not len(numbers):
            return []
        if numbers.max() >= len(self._state):
            self._state = np.concatenate((self._state, np.zeros(int(numbers.max()), np.int8)))
        for number in np.unique(numbers[self._state[numbers] == UNKNOWN]).tolist():
            found = self._engine.found(self._values_of(number))
            self._state[number] = GUILTY if found else INNOCENT
            if found:
                self._found[number] = found
        guilty = np.flatnonzero(self._state[numbers] == GUILTY)
        return [(place, self._found[int(numbers[place])]) for place in guilty.tolist()]


def _add(
    found: defaultdict[int, set[int]], some: Iterable[tuple[int, Found]], places: NDArray[np.int64] | None = None
) -> None:
    """Add what was found at each place; `places` says which row each stands for."""
    for place, rules in some:
        found[place if places is None else int(places[place])] |= rules
