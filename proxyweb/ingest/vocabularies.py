"""Text that repeats becomes a number, in order of first sight; the store maps these to the database's ids.

What turns a token of a line into a value raises Odd for what the fast path can't be trusted with.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from sys import intern
from typing import Any, Generic, TypeVar

from proxyweb.catalogue.file_types import LONGEST, extension_of
from proxyweb.ingest import squid
from proxyweb.ingest.enrichment import Enrichment
from proxyweb.ingest.record import (
    NO_VERDICT,
    ResultKind,
    host_of,
    is_address,
    reason_for,
    split_destination,
)

Token = TypeVar("Token", bound=Hashable)
Value = TypeVar("Value", bound=Hashable)
Kind = tuple[Any, ...]  # a ResultKind's or a WafVerdict's fields as a plain tuple, which marshal can carry
Verdict = tuple[Any, ...]
OfHost = tuple[str, bool, str, str]  # a host, whether it is an address, its domain, its service

MAX_VOCABULARY = 400_000  # texts kept in memory; past that everything is numbered anew


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


class Vocabularies:
    """All that an encoder numbers, and what it remembers of tokens beside."""

    def __init__(self, enrichment: Enrichment) -> None:
        self.enrichment = enrichment
        self.clients: Vocabulary[str, str] = Vocabulary(_client)
        self.kinds: Vocabulary[tuple[Any, ...], Kind] = Vocabulary(_kind)
        self.sites: Vocabulary[str, str] = Vocabulary(_site)
        self.peers: Vocabulary[str, str] = Vocabulary(_peer, "")
        self.users: Vocabulary[str, str] = Vocabulary(squid.native_user, "")
        self.escaped_users: Vocabulary[str, str] = Vocabulary(squid.unescaped, "")
        self.escaped_users.numbers, self.escaped_users.fresh = self.users.numbers, self.users.fresh
        self.agents: Vocabulary[str, str] = Vocabulary(squid.unescaped, "")
        self.wafs: Vocabulary[tuple[str, str, str], Verdict] = Vocabulary(_verdict, tuple(NO_VERDICT))
        self.extensions: Vocabulary[str, str] = Vocabulary(_extension, "")
        self.hierarchy_codes = _HierarchyCodes()
        self.scores: dict[str, bool] = _Scores()
        self.of_hosts = _OfHosts(enrichment)
        vocabularies = (
            self.clients, self.kinds, self.sites, self.peers, self.users, self.escaped_users, self.agents, self.wafs,
            self.extensions,
        )  # fmt: skip
        self._held = (*vocabularies, *(vocabulary.numbers for vocabulary in vocabularies))

    @property
    def are_full(self) -> bool:
        return sum(map(len, self._held)) > 2 * MAX_VOCABULARY  # most texts are held as a token and as a value

    def take_fresh(self) -> dict[str, list[Any]]:
        """The values since the last time, by vocabulary, each with what follows from it."""
        fresh: dict[str, list[Any]] = {
            "client": self.clients.take_fresh(),
            "kind": self.kinds.take_fresh(),
            "site": [(prefix, *self.of_hosts[host_of(prefix)]) for prefix in self.sites.take_fresh()],
            "peer": self.peers.take_fresh(),
            "user": self.users.take_fresh(),
            "agent": [(agent, *self.enrichment.agent(agent)) for agent in self.agents.take_fresh()],
            "waf": self.wafs.take_fresh(),
            "extension": self.extensions.take_fresh(),
        }
        self.escaped_users.fresh = self.users.fresh
        return fresh

    def extension(self, rest: str) -> int:
        """The number of the extension of what follows a site and has a dot."""
        path = rest[: rest.index("?")] if "?" in rest else rest
        name, dot, letters = path.rpartition(".")
        if not dot or name[-1:] in ("", "/") or len(letters) > LONGEST or "#" in path:  # for some reason, none or rare
            return self.extensions.number(extension_of(path))
        return self.extensions[letters]


class _HierarchyCodes(dict[str, str]):
    def __missing__(self, token: str) -> str:
        if len(self) > MAX_VOCABULARY:
            self.clear()
        if not squid.is_hierarchy(token):
            raise Odd
        code = self[token] = intern(token.partition("/")[0])  # a handful of texts for as many tokens as there are peers
        return code


class _OfHosts(dict[str, OfHost]):
    """What follows from a host; several sites have the same."""

    def __init__(self, enrichment: Enrichment) -> None:
        super().__init__()
        self.enrichment = enrichment

    def __missing__(self, host: str) -> OfHost:
        by_number = is_address(host)
        found = self[host] = host, by_number, self.enrichment.domain(host, by_number), self.enrichment.service(host)
        return found


class _Scores(dict[str, bool]):
    """Whether a verdict's score is more than 0."""

    def __missing__(self, token: str) -> bool:
        scored = self[token] = squid.points(token) > 0
        return scored


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


def _site(prefix: str) -> str:
    if split_destination(prefix) != (prefix, "") or not prefix:
        raise Odd
    return prefix


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
