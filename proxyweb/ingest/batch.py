"""Blocks of log lines as columns of small integers, ready to be stored: the fast path of ingest.

Most lines have exactly their format's blank-separated fields, and there whole columns are converted at once; a run of
lines that doesn't fit is halved until only the odd ones are left, which `squid.parse_line` reads one by one. Text that
repeats becomes a number in order of first sight; the store maps these to the database's ids.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from proxyweb.catalogue.file_types import LONGEST, extension_of
from proxyweb.ingest import squid
from proxyweb.ingest.enrichment import BUILT_IN, Enrichment
from proxyweb.ingest.groups import Ints
from proxyweb.ingest.record import (
    INNOCENT,
    NO_VERDICT,
    Record,
    ResultKind,
    host_of,
    is_address,
    reason_for,
    split_destination,
)

if TYPE_CHECKING:
    from proxyweb.ingest.inspection import Inspector, Scoring

Token = TypeVar("Token", bound=Hashable)
Value = TypeVar("Value", bound=Hashable)
Strings = Sequence[str]
Kind = tuple[Any, ...]  # a ResultKind's or a WafVerdict's fields as a plain tuple, which marshal can carry
Verdict = tuple[Any, ...]
Site = tuple[str, str, bool]

MAX_VOCABULARY = 400_000  # texts kept in memory; past that everything is numbered anew
REJECTED_TEXT = 2048  # characters kept of a line that was rejected
LINE_END = " \0 "  # between fields that are split at blanks; no NUL comes here otherwise
FIELDS = (squid.NATIVE_FIELDS, squid.PROXYWEB_FIELDS)
_POWERS_OF_TEN = 10 ** np.arange(12, -1, -1)
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


class _Pieces:
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


class Encoder:
    """Turns blocks of whole lines into batches; remembers the vocabularies between them."""

    def __init__(self, enrichment: Enrichment = BUILT_IN, scoring: Scoring | None = None) -> None:
        """`scoring` judges what the WAF's helper did not."""
        self.enrichment = enrichment
        self.scoring = scoring
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
        self.scores: dict[str, bool] = _Scores()
        self.of_hosts = _OfHosts(self.enrichment)
        self.inspector = None if self.scoring is None else _inspector(self.scoring)
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
        pieces = _Pieces()
        if block.isascii() and not any(blank in block for blank in _UNUSUAL_BLANKS):
            self._encode_text(batch, pieces, block.decode("ascii").removesuffix("\n"))
        else:
            for line in block.replace(b"\0", b"\n").removesuffix(b"\n").split(b"\n"):
                self._encode_odd(batch, pieces, line, start)
                start += len(line) + 1
        pieces.fill(batch)
        batch.fresh = {
            "client": self.clients.take_fresh(),
            "kind": self.kinds.take_fresh(),
            "site": [(*site, *self.of_hosts[site[1:]]) for site in self.sites.take_fresh()],
            "peer": self.peers.take_fresh(),
            "user": self.users.take_fresh(),
            "agent": [(agent, *self.enrichment.agent(agent)) for agent in self.agents.take_fresh()],
            "waf": self.wafs.take_fresh(),
            "extension": self.extensions.take_fresh(),
        }
        self.escaped_users.fresh = self.users.fresh
        self._inspect(batch)
        return batch

    def _inspect(self, batch: Batch) -> None:
        """Judge what has no verdict, where that is to be done."""
        if self.inspector is not None and len(batch):
            self.inspector.learn(batch.fresh)
            if not len(batch.waf):
                batch.waf = np.zeros(len(batch), np.int32)
            self._judge(batch, np.flatnonzero(batch.waf == 0))
            batch.fresh["waf"] += self.wafs.take_fresh()

    def _judge(self, batch: Batch, rows: Ints) -> None:
        assert self.inspector is not None
        verdicts = np.full(len(rows), self.wafs.number(tuple(INNOCENT)), np.int32)
        places = rows.tolist()
        guilty = self.inspector.guilty(
            batch.kind[rows],
            batch.site[rows],
            [batch.rest[place] for place in places],
            batch.agent[rows] if batch.extended else batch.agent,
            [batch.referer[place] for place in places] if batch.extended else (),
        )
        for place, verdict in guilty.items():
            verdicts[place] = self.wafs.number(tuple(verdict))
        batch.waf = batch.waf.copy()
        batch.waf[rows] = verdicts

    def _extension(self, rest: str) -> int:
        """The number of the extension of what follows a site and has a dot."""
        path = rest[: rest.index("?")] if "?" in rest else rest
        name, dot, letters = path.rpartition(".")
        if not dot or name[-1:] in ("", "/") or len(letters) > LONGEST or "#" in path:  # for some reason, none or rare
            return self.extensions.number(extension_of(path))
        return self.extensions[letters]

    def _encode_text(self, batch: Batch, pieces: _Pieces, text: str) -> None:
        """Whole lines, without the last one's end. Where each has the fields of one format, split all at once."""
        count = text.count("\n") + 1
        fields = f"{text}\n".replace("\n", LINE_END).split()
        width, rest = divmod(len(fields), count)
        if width - 1 in FIELDS and not rest and fields[width - 1 :: width].count(LINE_END.strip()) == count:
            try:
                pieces.add(self._columns_of([fields[at::width] for at in range(width - 1)]))
            except ValueError:
                pass
            else:
                return
        self._encode_lines(batch, pieces, text.split("\n"))

    def _encode_lines(self, batch: Batch, pieces: _Pieces, lines: list[str]) -> None:
        rows = list(map(str.split, lines))
        position, first = batch.start, 0
        for width, run in groupby(map(len, rows)):
            last = first + sum(1 for _ in run)
            self._encode_run(batch, pieces, width, rows[first:last], lines[first:last], position)
            position += sum(map(len, lines[first:last])) + last - first
            first = last

    def _encode_run(
        self, batch: Batch, pieces: _Pieces, width: int, rows: list[list[str]], lines: list[str], position: int
    ) -> None:
        """Consecutive lines with the same number of fields; halved while something in them is odd."""
        if width in FIELDS:
            try:
                columns = self._columns_of(list(zip(*rows, strict=True)))
            except ValueError:
                if len(rows) > 1:
                    half = len(rows) // 2
                    self._encode_run(batch, pieces, width, rows[:half], lines[:half], position)
                    position += sum(map(len, lines[:half])) + half
                    self._encode_run(batch, pieces, width, rows[half:], lines[half:], position)
                    return
            else:
                pieces.add(columns)
                return
        for line in lines:
            self._encode_odd(batch, pieces, line.encode(), position)
            position += len(line) + 1

    def _encode_odd(self, batch: Batch, pieces: _Pieces, line: bytes, position: int) -> None:
        try:
            record = squid.parse_line(line)
        except squid.Rejected as rejection:
            batch.rejected.append((position, str(rejection), squid.decode(line)[:REJECTED_TEXT]))
        else:
            pieces.single.append(self._row(record))

    def _row(self, record: Record) -> tuple[Any, ...]:
        """A row in the order of the columns."""
        prefix, rest = split_destination(record.url)
        path = "" if prefix.endswith(("?", "#")) else rest
        return (
            record.time_ms, record.elapsed_ms, self.clients.number(record.client),
            self.kinds.number(tuple(record.kind)), self.sites[prefix], record.bytes, self.peers.number(record.peer),
            self.users.number(record.user), rest, self._extension(path) if "." in path else 0,
            self.agents.number(record.user_agent), record.bytes_in, self.wafs.number(tuple(record.waf)),
            record.referer,
        )  # fmt: skip

    def _columns_of(self, fields: list[Strings]) -> Columns:
        """Lines of one format, given by field. Raises ValueError where something in them is odd."""
        return self._native(fields) if len(fields) == squid.NATIVE_FIELDS else self._proxyweb(fields)

    def _native(self, fields: list[Strings]) -> Columns:
        _, _, _, results, _, methods, _, users, hierarchies, types = fields
        hierarchy_codes = map(self.hierarchy_codes.__getitem__, hierarchies)
        return self._common(fields, zip(methods, results, hierarchy_codes, types, strict=True), self.users, users)

    def _proxyweb(self, fields: list[Strings]) -> Columns:
        _, _, _, results, _, methods, _, users, hierarchies, types = fields[: squid.NATIVE_FIELDS]
        marks, received, origins, agents, referers, errors, bumps, *verdicts = fields[squid.NATIVE_FIELDS :]
        if set(marks) != {squid.MARK} or not all(map(squid.is_score, set(verdicts[1]))):
            raise Odd
        bytes_in = _whole_numbers(received, squid.MAX_BYTES)
        hierarchy_codes = map(self.hierarchy_codes.__getitem__, hierarchies)
        waf = _numbered(self.wafs, list(zip(*verdicts, strict=True)))
        scored = map(self.scores.__getitem__, verdicts[1])
        kinds = zip(methods, results, hierarchy_codes, types, origins, errors, bumps, scored, strict=True)
        return {
            **self._common(fields, kinds, self.escaped_users, users),
            "agent": _numbered(self.agents, agents),
            "bytes_in": bytes_in,
            "waf": waf,
            "referer": ["" if referer == "-" else squid.unescaped(referer) for referer in referers],
        }

    def _common(
        self, fields: list[Strings], kinds: Iterable[Any], known_users: Vocabulary[str, str], users: Strings
    ) -> Columns:
        stamps, elapsed, clients, _, sizes, methods, urls, _, hierarchies = fields[: squid.NATIVE_FIELDS - 1]
        # What rejects a line stands before what numbers its texts, so that those of rejected lines are not stored.
        time_ms, elapsed_ms = _times(stamps), _whole_numbers(elapsed, squid.MAX_ELAPSED_MS)
        sizes_read, kind = _whole_numbers(sizes, squid.MAX_BYTES), list(map(self.kinds.__getitem__, kinds))
        client = _numbered(self.clients, clients)
        site, rest = self._destinations(methods, urls)
        number = self._extension
        return {
            "time_ms": time_ms,
            "elapsed_ms": elapsed_ms,
            "client": client,
            "kind": np.array(kind, np.int32),
            "site": np.array(site, np.int32),
            "bytes": sizes_read,
            "peer": _numbered(self.peers, hierarchies),
            "user": _numbered(known_users, users),
            "rest": rest,
            "extension": np.array([number(path) if "." in path else 0 for path in rest], np.int32),
        }

    def _destinations(self, methods: Strings, urls: Strings) -> tuple[list[int], list[str]]:
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


def _numbered(vocabulary: Vocabulary[Any, Any], tokens: Sequence[Any]) -> Numbers:
    return np.fromiter(map(vocabulary.__getitem__, tokens), np.int32, len(tokens))


class _HierarchyCodes(dict[str, str]):
    def __missing__(self, token: str) -> str:
        if len(self) > MAX_VOCABULARY:
            self.clear()
        if not squid.is_hierarchy(token):
            raise Odd
        code = self[token] = token.partition("/")[0]
        return code


class _OfHosts(dict[tuple[str, bool], tuple[str, str]]):
    """The domain and the service of a host, given with whether it is an address; several sites have the same."""

    def __init__(self, enrichment: Enrichment) -> None:
        super().__init__()
        self.enrichment = enrichment

    def __missing__(self, host: tuple[str, bool]) -> tuple[str, str]:
        found = self[host] = self.enrichment.domain(*host), self.enrichment.service(host[0])
        return found


class _Scores(dict[str, bool]):
    """Whether a verdict's score is more than 0."""

    def __missing__(self, token: str) -> bool:
        scored = self[token] = squid.points(token) > 0
        return scored


def _inspector(scoring: Scoring) -> Inspector:
    from proxyweb.ingest.inspection import Inspector  # hyperscan is loaded where it is needed, and may be missing

    return Inspector(scoring)


def _times(stamps: Strings) -> Ints:
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
    times = (np.frombuffer(digits.encode("ascii"), np.uint8).reshape(count, 13) - ord("0")) @ _POWERS_OF_TEN
    if times.min() < squid.MIN_MS or times.max() >= squid.MAX_MS:
        raise Odd
    return times


def _whole_numbers(fields: Strings, most: int) -> Ints:
    if not "".join(fields).isdigit():
        raise Odd
    numbers = np.fromstring(" ".join(fields), np.int64, sep=" ")
    if numbers.max() > most:  # what is too large for 64 bits has become the largest number that is not
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
