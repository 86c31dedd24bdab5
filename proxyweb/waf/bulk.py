"""The rules that hold for many URLs at once.

Looking at a URL by itself takes some 40 µs, at one among a thousand 2: the values of all are written one under another,
and hyperscan looks through them in one pass, for the rules' own patterns. Values that match nothing and are not
disguised are done with. All others go to the engine, one by one: it has the last word.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from proxyweb.waf.engine import NONE, REMEMBERED, Aim, Engine
from proxyweb.waf.normalise import normal
from proxyweb.waf.patterns import Patterns
from proxyweb.waf.request import (
    HOST,
    LONGEST,
    METHOD,
    MOST_PAIRS,
    PATH,
    QUERY,
    RAW,
    REFERER,
    SHORTEST_PACKED,
    Value,
    pairs,
    unpacked,
    values,
)

Flags = NDArray[np.bool_]
Places = NDArray[np.int64]
_NAME = re.compile(rb"&(?:[A-Za-z0-9_.-]*=)?")  # what stands before a value, where the name is nothing but a name
_NAMES = re.compile(rb"&([A-Za-z0-9_.-]*)=")
_ODD_NAME = re.compile(rb"&[A-Za-z0-9_.-]*[^A-Za-z0-9_.=&\n-][^=&\n]*=")
_ORDINARY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\\]*/").fullmatch
_QUERY = re.compile(rb"\?[^\n]*")
_ASKED = re.compile(rb"\?([^\n]+)")
_LINE_END, _AND, _MARK = b"\n&?"
NO_NAMES = frozenset(("",))
LONGEST_REMEMBERED = 128


def _table(octets: bytes) -> Flags:
    table = np.zeros(256, np.bool_)
    table[list(octets)] = True
    return table


_CHANGED = ~_table(bytes(set(range(0x20, 0x7F)) - set(b"%\\")) + b"\n")  # by the normal form
_CHANGED_IN_PATH = _CHANGED | _table(b"&")
_NOT_PACKED = ~_table(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_ -=\n")  # as base 64


class _Aimed:
    """What is looked for at one target, in lines."""

    def __init__(self, engine: Engine, target: str, cache: Path | None) -> None:
        self._engine = engine
        aim = engine.patterns_at(target)
        self._numbers = aim and aim.numbers
        if aim is not None:
            self._patterns = Patterns(
                aim.patterns, cache and cache / f"{target}-lines.hyperscan", lines=True, every=True
            )
            self._places_under = lru_cache(REMEMBERED)(lambda name: frozenset(_places_under(engine, aim, name)))

    def suspects(self, lines: _Lines, value_of: Callable[[int], Value], names: Iterable[str] = NO_NAMES) -> set[int]:
        """The lines for which a rule may hold: all, where the owner's rules have to be asked. `value_of` gives a line
        as it is judged; `names` are those that lines stand under."""
        if self._numbers is None:
            return set(range(len(lines)))
        worth = frozenset[int]().union(*map(self._places_under, names))
        matches = [match for match in self._patterns.matches(lines.text) if match[0] in worth]
        found: set[int] = set()
        numbers = lines.numbers([last for _, last in matches]).tolist()
        for line, place in set(zip(numbers, (place for place, _ in matches), strict=True)):
            rule = self._numbers[place]
            if line not in found and (rule is None or self._engine.holds(rule, value_of(line))):
                found.add(line)
        return found


def _places_under(engine: Engine, aim: Aim, name: str) -> Iterator[int]:
    """The patterns that count for a value under a name."""
    for place, number in enumerate(aim.numbers):
        if number is None or engine.fits(number, name):
            yield place


class Bulk:
    """Looks through URLs and referers for one engine's rules. Not for two threads at a time."""

    def __init__(self, engine: Engine, cache: Path | None = None) -> None:
        """`cache` is the folder of compiled patterns. Raises ConfigError."""
        self._engine = engine
        self._at = {target: _Aimed(engine, target, cache) for target in (RAW, PATH, QUERY, REFERER, HOST)}
        self._known = lru_cache(REMEMBERED)(lambda value: engine.found((value,)))
        self._known_pairs = lru_cache(REMEMBERED)(lambda pair, target: tuple(pairs(pair, target)))

    def in_urls(
        self, prefixes: Sequence[str], rests: Sequence[str], unusual: Sequence[int]
    ) -> dict[int, frozenset[int]]:
        """By place, the numbers of the rules that hold for URLs, where any does. Each is given by its prefix, up to and
        with the slash behind the authority, and its rest; `unusual` are the places of those whose prefix is not
        `ordinary`. Hosts are not looked at."""
        if not rests:
            return {}
        urls, rests = list(map("".join, zip(prefixes, rests, strict=True))), list(rests)
        suspects: defaultdict[int, list[Value]] = defaultdict(list)
        for place in {*_unfit(urls), *unusual}:
            suspects[place] += (value for value in values("", urls[place]) if value.target not in (METHOD, HOST))
            urls[place] = rests[place] = ""
        for place in self._at[RAW].suspects(_Lines(urls), lambda place: Value(RAW, urls[place])):
            suspects[place].append(Value(RAW, urls[place]))
        lines = _Lines(rests, before="/")
        self._look_at_paths(PATH, lines.paths(), suspects)
        self._look_at_queries(QUERY, lines, suspects)
        return self._held(suspects)

    def in_referers(self, referers: Sequence[str]) -> dict[int, frozenset[int]]:
        """By place, the numbers of the rules that hold for referers, where any does."""
        if not referers:
            return {}
        suspects: defaultdict[int, list[Value]] = defaultdict(list)
        lines = list(referers)
        for place in _unfit(referers):
            suspects[place] += (
                value for value in values("", "", {"referer": referers[place]}) if value.target == REFERER
            )
            lines[place] = ""
        addresses = _Lines(lines)
        self._look_at_paths(REFERER, addresses.paths(), suspects)
        self._look_at_queries(REFERER, addresses, suspects)
        return self._held(suspects)

    def in_hosts(self, hosts: Sequence[str]) -> dict[int, frozenset[int]]:
        """By place, the numbers of the rules that hold for hosts, where any does."""
        return self._in_lines(HOST, hosts)

    def in_connects(self, urls: Sequence[str]) -> dict[int, frozenset[int]]:
        """The same for what CONNECT asks for, `host:port`, as it stands there."""
        return self._in_lines(RAW, urls)

    def _in_lines(self, target: str, texts: Sequence[str]) -> dict[int, frozenset[int]]:
        if not texts:
            return {}
        lines, unfit = list(texts), _unfit(texts)
        for place in unfit:
            lines[place] = ""
        suspects = {place: [Value(target, texts[place])] for place in unfit}
        for place in self._at[target].suspects(_Lines(lines), lambda place: Value(target, texts[place])):
            suspects[place] = [Value(target, texts[place])]
        return self._held(suspects)

    def _held(self, suspects: Mapping[int, Sequence[Value]]) -> dict[int, frozenset[int]]:
        held = ((place, NONE.union(*map(self._found, some))) for place, some in suspects.items())
        return {place: found for place, found in held if found}

    def _found(self, value: Value) -> frozenset[int]:
        """What holds for a value; short ones come again and again."""
        return self._known(value) if len(value.text) <= LONGEST_REMEMBERED else self._engine.found((value,))

    def _pairs(self, pair: str, target: str) -> Iterable[Value]:
        return self._known_pairs(pair, target) if len(pair) <= LONGEST_REMEMBERED else pairs(pair, target)

    def _look_at_paths(self, target: str, paths: _Lines, suspects: dict[int, list[Value]]) -> None:
        """Add the paths, or addresses, that are disguised or that a pattern matches."""
        suspicious = self._at[target].suspects(paths, lambda place: Value(target, paths[place]))
        suspicious.update(np.flatnonzero(paths.with_any(_CHANGED_IN_PATH[paths.octets])).tolist())
        for place in suspicious:
            if paths[place] not in ("", "/"):
                suspects[place].append(Value(target, normal(paths[place])))

    def _look_at_queries(self, target: str, addresses: _Lines, suspects: dict[int, list[Value]]) -> None:
        """Add the values of addresses' queries that are disguised or that a pattern matches."""
        given, lines = addresses.queries()
        if not given:
            return
        ands = lines.count(lines.octets == _AND)
        # A line for each pair, behind an empty one for each query. A plus is a space, and that alone no disguise.
        contents = _Lines.of(_NAME.sub(b"\n", lines.text).replace(b"+", b" "))
        given_pairs = _Lines.of(lines.text.replace(b"&", b"\n"))
        line_of = np.repeat(np.arange(len(lines)), ands + 1)

        def value(number: int) -> Value:
            name, equals, content = given_pairs[number].replace("+", " ").partition("=")
            return Value(target, content, name.lower()) if equals else Value(target, name)

        names = {name.decode("ascii") for name in set(_NAMES.findall(lines.text.lower()))}
        numbers = self._at[target].suspects(contents, value, {"", *names})
        numbers.update(np.flatnonzero(contents.with_any(_CHANGED[contents.octets])).tolist())
        numbers.update(_packed(contents))
        odd_names = [odd.start() + 1 for odd in _ODD_NAME.finditer(lines.text)]
        numbers.update(given_pairs.numbers(odd_names).tolist())
        many = set(np.flatnonzero(ands > MOST_PAIRS).tolist())
        for number in sorted(numbers):
            line = int(line_of[number])
            if line not in many:
                suspects[given[line]] += self._pairs(given_pairs[number], target)
        for line in many:
            suspects[given[line]] += pairs(lines[line].removeprefix("&"), target)


def ordinary(prefix: str) -> bool:
    """Whether a path begins behind it, as a verdict on the URL by itself would have it."""
    return _ORDINARY(prefix) is not None


def _unfit(texts: Sequence[str]) -> list[int]:
    """The places of those that can't be lines as they are."""
    together = "".join(texts)
    if together.isascii() and "\n" not in together and len(max(texts, key=len)) <= LONGEST:
        return []
    return [place for place, text in enumerate(texts) if len(text) > LONGEST or not text.isascii() or "\n" in text]


class _Lines:
    """Texts one under another, as octets."""

    def __init__(self, texts: Sequence[str], before: str = "") -> None:
        """`before` stands at the beginning of each."""
        self._take((before + f"\n{before}".join(texts)).encode("utf-8", "replace"), len(texts))

    @classmethod
    def of(cls, text: bytes) -> _Lines:
        """The lines of a text, whose last one has no end."""
        lines = cls.__new__(cls)
        lines._take(text, text.count(b"\n") + 1)
        return lines

    def _take(self, text: bytes, count: int) -> None:
        self.text = text
        self.octets = np.frombuffer(text + b"\n", np.uint8)
        ends = np.flatnonzero(self.octets == _LINE_END)
        if len(ends) != count:
            raise ValueError("a text holds a line's end")
        self.starts = np.concatenate(([0], ends[:-1] + 1))
        self.lengths: Places = ends - self.starts

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, line: int) -> str:
        start = int(self.starts[line])
        return self.text[start : start + int(self.lengths[line])].decode("utf-8")

    def paths(self) -> _Lines:
        """What stands before the first question mark of each."""
        return _Lines.of(_QUERY.sub(b"", self.text))

    def queries(self) -> tuple[list[int], _Lines]:
        """What stands behind it, each with `&` in front, where something does; and the lines that have it."""
        marks = np.flatnonzero(self.octets == _MARK)
        owners = self.numbers(marks)
        firsts = np.flatnonzero(np.diff(owners, prepend=-1))
        given = owners[firsts[self.octets[marks[firsts] + 1] != _LINE_END]]
        return given.tolist(), _Lines.of(b"&" + b"\n&".join(_ASKED.findall(self.text)))

    def count(self, marked: Flags) -> Places:
        """How many octets of each line are marked."""
        counts: Places = np.add.reduceat(marked, self.starts, dtype=np.int64)
        return counts

    def with_any(self, marked: Flags) -> Flags:
        found: Flags = np.logical_or.reduceat(marked, self.starts)
        return found

    def numbers(self, places: Sequence[int] | Places) -> Places:
        """The line of each place; its end belongs to it."""
        found: Places = np.searchsorted(self.starts, np.asarray(places, np.int64), "right") - 1
        return found


def _packed(values: _Lines) -> list[int]:
    """Which values are texts in base 64."""
    packable = (values.lengths >= SHORTEST_PACKED) & ~values.with_any(_NOT_PACKED[values.octets])
    found = []
    for number in np.flatnonzero(packable).tolist():
        text = values[number]
        if unpacked(text) != text:
            found.append(number)
    return found
