"""Blocks of log lines as columns of small integers, ready to be stored: the fast path of ingest.

Most lines have exactly their format's blank-separated fields, and there whole columns are converted at once; a run of
lines that doesn't fit is halved until only the odd ones are left, which `squid.parse_line` reads one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from proxyweb.ingest import squid
from proxyweb.ingest.batch import Batch, Columns, Numbers, Pieces
from proxyweb.ingest.enrichment import BUILT_IN, Enrichment
from proxyweb.ingest.groups import Ints
from proxyweb.ingest.record import INNOCENT, Record, split_destination
from proxyweb.ingest.vocabularies import Odd, Vocabularies, Vocabulary

if TYPE_CHECKING:
    from proxyweb.ingest.inspection import Inspector, Scoring

Strings = Sequence[str]

REJECTED_TEXT = 2048  # characters kept of a line that was rejected
LINE_END = " \0 "  # between fields that are split at blanks; no NUL comes here otherwise
FIELDS = (squid.NATIVE_FIELDS, squid.PROXYWEB_FIELDS)
_POWERS_OF_TEN = 10 ** np.arange(12, -1, -1)
_UNUSUAL_BLANKS = (b"\t", b"\r", b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\x1f", b"\0")


class Encoder:
    """Turns blocks of whole lines into batches; remembers the vocabularies between them."""

    def __init__(self, enrichment: Enrichment = BUILT_IN, scoring: Scoring | None = None) -> None:
        """`scoring` judges what the WAF's helper did not."""
        self.enrichment = enrichment
        self.scoring = scoring
        self._begin()

    def _begin(self) -> None:
        self.restart = True
        self.known = Vocabularies(self.enrichment)
        self.inspector = None if self.scoring is None else _inspector(self.scoring)

    def encode(self, block: bytes, start: int) -> Batch:
        """The rows of a block of whole lines that begins at `start` in its source. Never raises for what lines hold."""
        if self.known.are_full:
            self._begin()
        batch = Batch(start, start + len(block), self.restart)
        self.restart = False
        if not block:
            return batch
        pieces = Pieces()
        if block.isascii() and not any(blank in block for blank in _UNUSUAL_BLANKS):
            self._encode_text(batch, pieces, block.decode("ascii").removesuffix("\n"))
        else:
            for line in block.replace(b"\0", b"\n").removesuffix(b"\n").split(b"\n"):
                self._encode_odd(batch, pieces, line, start)
                start += len(line) + 1
        pieces.fill(batch)
        batch.fresh = self.known.take_fresh()
        self._inspect(batch)
        return batch

    def _inspect(self, batch: Batch) -> None:
        """Judge what has no verdict, where that is to be done."""
        if self.inspector is not None and len(batch):
            self.inspector.learn(batch.fresh)
            if not len(batch.waf):
                batch.waf = np.zeros(len(batch), np.int32)
            self._judge(batch, np.flatnonzero(batch.waf == 0))
            batch.fresh["waf"] += self.known.wafs.take_fresh()

    def _judge(self, batch: Batch, rows: Ints) -> None:
        assert self.inspector is not None
        verdicts = np.full(len(rows), self.known.wafs.number(tuple(INNOCENT)), np.int32)
        every = len(rows) == len(batch)
        places = () if every else rows.tolist()
        guilty = self.inspector.guilty(
            batch.kind[rows],
            batch.site[rows],
            batch.rest if every else [batch.rest[place] for place in places],
            batch.agent[rows] if batch.extended else batch.agent,
            batch.referer if every else [batch.referer[place] for place in places] if batch.extended else (),
        )
        for place, verdict in guilty.items():
            verdicts[place] = self.known.wafs.number(tuple(verdict))
        batch.waf = batch.waf.copy()
        batch.waf[rows] = verdicts

    def _encode_text(self, batch: Batch, pieces: Pieces, text: str) -> None:
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

    def _encode_lines(self, batch: Batch, pieces: Pieces, lines: list[str]) -> None:
        rows = list(map(str.split, lines))
        position, first = batch.start, 0
        for width, run in groupby(map(len, rows)):
            last = first + sum(1 for _ in run)
            self._encode_run(batch, pieces, width, rows[first:last], lines[first:last], position)
            position += sum(map(len, lines[first:last])) + last - first
            first = last

    def _encode_run(
        self, batch: Batch, pieces: Pieces, width: int, rows: list[list[str]], lines: list[str], position: int
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

    def _encode_odd(self, batch: Batch, pieces: Pieces, line: bytes, position: int) -> None:
        try:
            record = squid.parse_line(line)
        except squid.Rejected as rejection:
            batch.rejected.append((position, str(rejection), squid.decode(line)[:REJECTED_TEXT]))
        else:
            pieces.single.append(self._row(record))

    def _row(self, record: Record) -> tuple[Any, ...]:
        """A row in the order of the columns."""
        known, (prefix, rest) = self.known, split_destination(record.url)
        path = "" if prefix.endswith(("?", "#")) else rest
        return (
            record.time_ms, record.elapsed_ms, known.clients.number(record.client),
            known.kinds.number(tuple(record.kind)), known.sites[prefix], record.bytes,
            known.peers.number(record.peer), known.users.number(record.user), rest,
            known.extension(path) if "." in path else 0, known.agents.number(record.user_agent), record.bytes_in,
            known.wafs.number(tuple(record.waf)), record.referer,
        )  # fmt: skip

    def _columns_of(self, fields: list[Strings]) -> Columns:
        """Lines of one format, given by field. Raises ValueError where something in them is odd."""
        return self._native(fields) if len(fields) == squid.NATIVE_FIELDS else self._proxyweb(fields)

    def _native(self, fields: list[Strings]) -> Columns:
        _, _, _, results, _, methods, _, users, hierarchies, types = fields
        hierarchy_codes = map(self.known.hierarchy_codes.__getitem__, hierarchies)
        return self._common(fields, zip(methods, results, hierarchy_codes, types, strict=True), self.known.users, users)

    def _proxyweb(self, fields: list[Strings]) -> Columns:
        _, _, _, results, _, methods, _, users, hierarchies, types = fields[: squid.NATIVE_FIELDS]
        marks, received, origins, agents, referers, errors, bumps, *verdicts = fields[squid.NATIVE_FIELDS :]
        if set(marks) != {squid.MARK} or not all(map(squid.is_score, set(verdicts[1]))):
            raise Odd
        bytes_in = _whole_numbers(received, squid.MAX_BYTES)
        hierarchy_codes = map(self.known.hierarchy_codes.__getitem__, hierarchies)
        waf = _numbered(self.known.wafs, list(zip(*verdicts, strict=True)))
        scored = map(self.known.scores.__getitem__, verdicts[1])
        kinds = zip(methods, results, hierarchy_codes, types, origins, errors, bumps, scored, strict=True)
        return {
            **self._common(fields, kinds, self.known.escaped_users, users),
            "agent": _numbered(self.known.agents, agents),
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
        sizes_read, kind = _whole_numbers(sizes, squid.MAX_BYTES), list(map(self.known.kinds.__getitem__, kinds))
        client = _numbered(self.known.clients, clients)
        site, rest = self._destinations(methods, urls)
        number = self.known.extension
        return {
            "time_ms": time_ms,
            "elapsed_ms": elapsed_ms,
            "client": client,
            "kind": np.array(kind, np.int32),
            "site": np.array(site, np.int32),
            "bytes": sizes_read,
            "peer": _numbered(self.known.peers, hierarchies),
            "user": _numbered(known_users, users),
            "rest": rest,
            "extension": np.array([number(path) if "." in path else 0 for path in rest], np.int32),
        }

    def _destinations(self, methods: Strings, urls: Strings) -> tuple[list[int], list[str]]:
        sites, site, rest = self.known.sites, [], []
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
