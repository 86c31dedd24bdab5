"""Blocks of log lines as columns of small integers, ready to be stored: the fast path of ingest.

Most lines have exactly their format's blank-separated fields, and there whole columns are converted at once; a run of
lines that doesn't fit is halved until only the odd ones are left, which `squid.parse_line` reads one by one. Text that
repeats becomes a number in order of first sight; the store maps these to the database's ids.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Generic, TypeVar

from proxyweb.catalogue.file_types import LONGEST, extension_of
from proxyweb.ingest import squid
from proxyweb.ingest.enrichment import BUILT_IN, Enrichment
from proxyweb.ingest.groups import HOUR_MS, RECENT_HOURS, Columns, Groups, Known, group
from proxyweb.ingest.record import (
    BLOCKING_REASONS,
    NO_VERDICT,
    WAF,
    Record,
    ResultKind,
    host_of,
    is_address,
    reason_for,
    split_destination,
)
from proxyweb.ingest.weights import BLOCKED, REQUEST

Token = TypeVar("Token", bound=Hashable)
Value = TypeVar("Value", bound=Hashable)
Fields = list[str]
Strings = tuple[str, ...]
Kind = tuple[Any, ...]  # a ResultKind's or a WafVerdict's fields as a plain tuple, which marshal can carry
Verdict = tuple[Any, ...]
Site = tuple[str, str, bool]

MAX_VOCABULARY = 400_000  # texts kept in memory; past that everything is numbered anew
REJECTED_TEXT = 2048  # characters kept of a line that was rejected
_UNUSUAL_BLANKS = (b"\t", b"\r", b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\x1f", b"\0")


class Odd(ValueError):
    """A line does not fit the fast path; nothing is said about whether it is a good line."""


class Vocabulary(dict[Token, int], Generic[Token, Value]):
    """Token → number. `read` turns a token into the value that is stored; equal values share a number."""

    def __init__(self, read: Callable[[Token], Value], *known: Value) -> None:
        super().__init__()
        self.read = read
        self.numbers: dict[Value, int] = {value: number for number, value in enumerate(known)}
        self.fresh: list[Value] = []

    def __missing__(self, token: Token) -> int:
        number = self[token] = self.number(self.read(token))
        return number

    def number(self, value: Value) -> int:
        number = self.numbers.get(value)
        if number is None:
            number = self.numbers[value] = len(self.numbers)
            self.fresh.append(value)
        return number

    def take_fresh(self) -> list[Value]:
        fresh, self.fresh = self.fresh, []
        return fresh


Column = list[int] | list[str]
NATIVE_COLUMNS = ("time_ms", "elapsed_ms", "client", "kind", "site", "bytes", "peer", "user", "rest")
OWN_COLUMNS = ("agent", "bytes_in", "waf", "referer")


@dataclass(slots=True)
class Batch:
    """Rows as columns, in file order. `client` … `waf` are numbers of the vocabularies; new values come with them.

    The columns behind `rest` are empty unless the batch is `extended`. `restart` says that numbering began anew.
    `groups` are the rows summed up for the rollups, by the same numbers and those of the vocabulary of extensions.
    `rejected` lists `(position, reason, line)`. `end` is the position in the source behind this batch, and `crcs` and
    `tail_crc` are the hasher's up to there.
    """

    start: int
    end: int
    restart: bool = False
    extended: bool = False
    fresh: dict[str, list[Any]] = field(default_factory=dict)
    time_ms: list[int] = field(default_factory=list)
    elapsed_ms: list[int] = field(default_factory=list)
    client: list[int] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    site: list[int] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    peer: list[int] = field(default_factory=list)
    user: list[int] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    agent: list[int] = field(default_factory=list)
    bytes_in: list[int] = field(default_factory=list)
    waf: list[int] = field(default_factory=list)
    referer: list[str] = field(default_factory=list)
    groups: Groups = field(default_factory=dict)
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    crcs: list[int] = field(default_factory=list)
    tail_crc: int = 0

    def __len__(self) -> int:
        return len(self.time_ms)

    def extend(self, native: tuple[Column, ...], own: tuple[Column, ...] = ()) -> None:
        """Append rows: the columns of `NATIVE_COLUMNS`, and those of `OWN_COLUMNS` where there is something in them."""
        if own and not self.extended:
            self.extended = True
            self._append(OWN_COLUMNS, _nothing(len(self)))
        elif self.extended and not own:
            own = _nothing(len(native[0]))
        self._append(NATIVE_COLUMNS, native)
        if own:
            self._append(OWN_COLUMNS, own)

    def _append(self, names: tuple[str, ...], columns: tuple[Column, ...]) -> None:
        for name, values in zip(names, columns, strict=True):
            column = getattr(self, name)
            if column:
                column.extend(values)
            else:
                setattr(self, name, values)


def _nothing(count: int) -> tuple[Column, ...]:
    return [0] * count, [0] * count, [0] * count, [""] * count


class Encoder:
    """Turns blocks of whole lines into batches; remembers the vocabularies between them."""

    def __init__(self, enrichment: Enrichment = BUILT_IN, clock: Callable[[], float] = time.time) -> None:
        self.enrichment = enrichment
        self.clock = clock
        self._begin()

    def _begin(self) -> None:
        self.restart = True
        self.clients: Vocabulary[str, str] = Vocabulary(_client)
        self.kinds: Vocabulary[tuple[Any, ...], Kind] = Vocabulary(_kind)
        self.sites: Vocabulary[str, Site] = Vocabulary(_site)
        self.peers: Vocabulary[str, str] = Vocabulary(_peer, "")
        self.users: Vocabulary[str, str] = Vocabulary(squid.native_user, "")
        self.escaped_users: Vocabulary[str, str] = Vocabulary(squid.unescaped, "")
        self.escaped_users.numbers, self.escaped_users.fresh = self.users.numbers, self.users.fresh
        self.agents: Vocabulary[str, str] = Vocabulary(squid.unescaped, "")
        self.wafs: Vocabulary[tuple[str, str, str], Verdict] = Vocabulary(_verdict, tuple(NO_VERDICT))
        self.extensions: Vocabulary[str, str] = Vocabulary(_extension, "")
        self.hierarchy_codes = _HierarchyCodes()
        self.known = Known(self._extension)
        vocabularies = (
            self.clients, self.kinds, self.sites, self.peers, self.users, self.escaped_users, self.agents, self.wafs,
            self.extensions,
        )  # fmt: skip
        self._held = (*vocabularies, *(vocabulary.numbers for vocabulary in vocabularies))

    def encode(self, block: bytes, start: int) -> Batch:
        """The rows of a block of whole lines that begins at `start` in its source. Never raises for what lines hold."""
        if sum(map(len, self._held)) > 2 * MAX_VOCABULARY:  # most texts are held as a token and as a value
            self._begin()
        batch = Batch(start, start + len(block), self.restart)
        self.restart = False
        if not block:
            return batch
        if block.isascii() and not any(blank in block for blank in _UNUSUAL_BLANKS):
            lines = block.decode("ascii").split("\n")
            if not lines[-1]:
                lines.pop()
            self._encode_lines(batch, lines)
        else:
            for line in block.replace(b"\0", b"\n").removesuffix(b"\n").split(b"\n"):
                self._encode_odd(batch, line, start)
                start += len(line) + 1
        kinds, sites = self.kinds.take_fresh(), self.sites.take_fresh()
        self._learn(kinds, sites)
        self._group(batch)
        enrich = self.enrichment
        batch.fresh = {
            "client": self.clients.take_fresh(),
            "kind": kinds,
            "site": [(*site, enrich.domain(*site[1:]), enrich.service(site[1])) for site in sites],
            "peer": self.peers.take_fresh(),
            "user": self.users.take_fresh(),
            "agent": [(agent, *enrich.agent(agent)) for agent in self.agents.take_fresh()],
            "waf": self.wafs.take_fresh(),
            "extension": self.extensions.take_fresh(),
        }
        self.escaped_users.fresh = self.users.fresh
        return batch

    def _learn(self, kinds: list[Kind], sites: list[Site]) -> None:
        """Note of new values what grouping has to know."""
        known = self.known
        for kind in kinds:
            reason = ResultKind(*kind).reason
            blocked = reason in BLOCKING_REASONS
            number = len(known.weight_of_kind)
            known.weight_of_kind[number] = REQUEST | BLOCKED if blocked else REQUEST
            if reason == WAF:
                known.waf_kinds.add(number)
        for number, (prefix, _, to_address) in enumerate(sites, len(self.sites.numbers) - len(sites)):
            if to_address:
                known.address_sites.add(number)
            if prefix.endswith(("?", "#")):
                known.pathless_sites.add(number)

    def _group(self, batch: Batch) -> None:
        batch.groups = group(
            Columns(
                batch.time_ms, batch.client, batch.kind, batch.site, batch.bytes, batch.rest, batch.agent,
                batch.bytes_in, batch.waf,
            ),
            self.known,
            (int(self.clock()) // 3600 - RECENT_HOURS) * HOUR_MS,
        )  # fmt: skip

    def _extension(self, rest: str) -> int:
        """The number of the extension of what follows a site and has a dot."""
        path = rest[: rest.index("?")] if "?" in rest else rest
        name, dot, letters = path.rpartition(".")
        if not dot or name[-1:] in ("", "/") or len(letters) > LONGEST or "#" in path:  # for some reason, none or rare
            return self.extensions.number(extension_of(path))
        return self.extensions[letters]

    def _encode_lines(self, batch: Batch, lines: list[str]) -> None:
        rows = list(map(str.split, lines))
        widths = set(map(len, rows))
        if len(widths) == 1:
            self._encode_run(batch, widths.pop(), rows, lines, batch.start)
            return
        position, first = batch.start, 0
        for width, run in groupby(map(len, rows)):
            last = first + sum(1 for _ in run)
            self._encode_run(batch, width, rows[first:last], lines[first:last], position)
            position += sum(map(len, lines[first:last])) + last - first
            first = last

    def _encode_run(self, batch: Batch, width: int, rows: list[Fields], lines: list[str], position: int) -> None:
        """Consecutive lines with the same number of fields; halved while something in them is odd."""
        if width in (squid.NATIVE_FIELDS, squid.PROXYWEB_FIELDS):
            try:
                columns = (self._native(rows),) if width == squid.NATIVE_FIELDS else self._proxyweb(rows)
            except ValueError:
                if len(rows) > 1:
                    half = len(rows) // 2
                    self._encode_run(batch, width, rows[:half], lines[:half], position)
                    position += sum(map(len, lines[:half])) + half
                    self._encode_run(batch, width, rows[half:], lines[half:], position)
                    return
            else:
                batch.extend(*columns)
                return
        for line in lines:
            self._encode_odd(batch, line.encode(), position)
            position += len(line) + 1

    def _encode_odd(self, batch: Batch, line: bytes, position: int) -> None:
        try:
            record = squid.parse_line(line)
        except squid.Rejected as rejection:
            batch.rejected.append((position, str(rejection), squid.decode(line)[:REJECTED_TEXT]))
        else:
            batch.extend(*self._columns(record))

    def _columns(self, record: Record) -> tuple[tuple[Column, ...], ...]:
        prefix, rest = split_destination(record.url)
        native: tuple[Column, ...] = (
            [record.time_ms], [record.elapsed_ms], [self.clients.number(record.client)],
            [self.kinds.number(tuple(record.kind))], [self.sites[prefix]], [record.bytes],
            [self.peers.number(record.peer)], [self.users.number(record.user)], [rest],
        )  # fmt: skip
        if not (record.user_agent or record.bytes_in or record.referer or record.waf != NO_VERDICT):
            return (native,)
        waf = self.wafs.number(tuple(record.waf))
        return native, ([self.agents.number(record.user_agent)], [record.bytes_in], [waf], [record.referer])

    def _native(self, rows: list[Fields]) -> tuple[Column, ...]:
        stamps, elapsed, clients, results, sizes, methods, urls, users, hierarchies, types = zip(*rows, strict=True)
        hierarchy_codes = map(self.hierarchy_codes.__getitem__, hierarchies)
        kinds = zip(methods, results, hierarchy_codes, types, strict=True)
        return self._common(
            stamps, elapsed, clients, kinds, methods, urls, sizes, hierarchies, map(self.users.__getitem__, users)
        )

    def _proxyweb(self, rows: list[Fields]) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
        (stamps, elapsed, clients, results, sizes, methods, urls, users, hierarchies, types, marks, received, origins,
         agents, referers, errors, bumps, categories, scores, rules) = zip(*rows, strict=True)  # fmt: skip
        if set(marks) != {squid.MARK} or not all(map(squid.is_score, set(scores))):
            raise Odd
        bytes_in = _whole_numbers(received, squid.MAX_BYTES)
        hierarchy_codes = map(self.hierarchy_codes.__getitem__, hierarchies)
        waf = list(map(self.wafs.__getitem__, zip(categories, scores, rules, strict=True)))
        kinds = zip(methods, results, hierarchy_codes, types, origins, errors, bumps, map(bool, waf), strict=True)
        user = map(self.escaped_users.__getitem__, users)
        return (
            self._common(stamps, elapsed, clients, kinds, methods, urls, sizes, hierarchies, user),
            (
                list(map(self.agents.__getitem__, agents)),
                bytes_in,
                waf,
                ["" if referer == "-" else squid.unescaped(referer) for referer in referers],
            ),
        )  # fmt: skip

    def _common(
        self, stamps: Strings, elapsed: Strings, clients: Strings, kinds: Iterable[Any], methods: Strings,
        urls: Strings, sizes: Strings, hierarchies: Strings, users: Iterable[int],
    ) -> tuple[Column, ...]:  # fmt: skip
        # What rejects a line stands before what numbers its texts, so that those of rejected lines are not stored.
        time_ms, elapsed_ms = _times(stamps), _whole_numbers(elapsed, squid.MAX_ELAPSED_MS)
        numbers, kind = _whole_numbers(sizes, squid.MAX_BYTES), list(map(self.kinds.__getitem__, kinds))
        client = list(map(self.clients.__getitem__, clients))
        site, rest = self._destinations(methods, urls)
        peer = list(map(self.peers.__getitem__, hierarchies))
        return time_ms, elapsed_ms, client, kind, site, numbers, peer, list(users), rest

    def _destinations(self, methods: tuple[str, ...], urls: tuple[str, ...]) -> tuple[list[int], list[str]]:
        sites, site, rest = self.sites, [], []
        for method, url in zip(methods, urls, strict=True):
            if method == "CONNECT":
                site.append(sites[url])
                rest.append("")
            else:
                cut = url.find("/", 8) + 1  # behind the authority of http:// and https://; `_site` refuses what isn't
                site.append(sites[url[:cut]])
                rest.append(url[cut:])
        return site, rest


class _HierarchyCodes(dict[str, str]):
    def __missing__(self, token: str) -> str:
        if len(self) > MAX_VOCABULARY:
            self.clear()
        if not squid.is_hierarchy(token):
            raise Odd
        code = self[token] = token.partition("/")[0]
        return code


def _times(stamps: tuple[str, ...]) -> list[int]:
    """Unix milliseconds of stamps that all look like `1795370568.768`; Odd when one doesn't."""
    joined = "".join(stamps)
    digits = joined.replace(".", "")
    count = len(stamps)
    if (
        set(map(len, stamps)) != {14}
        or joined[10::14] != "." * count
        or len(digits) != 13 * count
        or not digits.isdigit()
    ):
        raise Odd
    times = list(map(int, "\n".join(stamps).replace(".", "").split("\n")))
    if min(times) < squid.MIN_MS or max(times) >= squid.MAX_MS:
        raise Odd
    return times


def _whole_numbers(fields: tuple[str, ...], most: int) -> list[int]:
    if not "".join(fields).isdigit():
        raise Odd
    numbers = list(map(int, fields))
    if max(numbers) > most:
        raise Odd
    return numbers


def _client(token: str) -> str:
    if len(token) > 255:
        raise Odd
    return token


def _kind(tokens: tuple[Any, ...]) -> Kind:
    """Of `(method, code/status, hierarchy code, type)`, and for our own format `origin, error, bump, waf` behind."""
    method, result, hierarchy, content_type, *own = tokens
    if not squid.is_result(result) or content_type.endswith("]"):  # perhaps the end of `log_mime_hdrs`' blocks
        raise Odd
    code, _, status = result.partition("/")
    content_type = squid.unescaped(content_type) if own else _given(content_type)
    kind = ResultKind(method, code, squid.status_number(status), hierarchy, content_type)
    if own:
        kind = squid.with_origin(kind, *own[:3])
    return tuple(kind._replace(reason=reason_for(kind, waf_blocked=bool(own and own[3]))))


def _site(prefix: str) -> Site:
    """The prefix itself, its host, and whether that is an address."""
    if split_destination(prefix) != (prefix, "") or not prefix:
        raise Odd
    host = host_of(prefix)
    return prefix, host, is_address(host)


def _extension(letters: str) -> str:
    """Of what follows the last dot of a path."""
    return extension_of(f"name.{letters}")


def _peer(token: str) -> str:
    return _given(token.partition("/")[2])


def _given(field: str) -> str:
    return "" if field == "-" else field


def _verdict(tokens: tuple[str, str, str]) -> Verdict:
    if tokens[2].endswith("]"):
        raise Odd
    return tuple(squid.waf_verdict(*tokens))
