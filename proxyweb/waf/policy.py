"""What is denied, by settings and lists as they stand in the database: read at once, and again when they change.

Judging needs no database. A thread beside it looks at the counter that every change advances, and puts a new policy
in the place of the old one as a whole.
"""

from __future__ import annotations

import logging
import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, NamedTuple, Self

from proxyweb.db.connection import snapshot
from proxyweb.db.database import generation
from proxyweb.errors import ConfigError
from proxyweb.settings import read

if TYPE_CHECKING:
    from proxyweb.waf.engine import Engine

log = logging.getLogger("proxyweb.waf")

LOOK_SECONDS = 0.4
BUSY_SECONDS = 0.2
ENGINE_RETRY_SECONDS = 60.0
COMPLAINT_SECONDS = 60.0
NOTE_WIDTH = 64  # of the category and the rule in our log format, escaped
PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.,:/")
LONGEST_HOST = 253
MAPPED = 0xFFFF  # the upper bits of ::ffff:0:0/96, an IPv4 address in the clothes of IPv6


class Unjudged(Exception):
    """There is no verdict to be had; the setting `waf_on_failure` says what becomes of the request."""


class Answer(NamedTuple):
    """Whether to deny a request, and what the WAF notes on it: names separated by commas, and the score, which is 0
    when nothing was found, and None where it did not look."""

    deny: bool
    category: str = ""
    score: int | None = None
    rule: str = ""


PASSED, DENIED, INNOCENT = Answer(False), Answer(True), Answer(False, score=0)


class Networks:
    """Networks that are asked whether an address is in one of them: a look-up a prefix length, however many."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """`texts` are canonical networks, such as `10.0.0.0/8`, or addresses. Raises ValueError."""
        found: dict[tuple[int, int], set[int]] = {}
        addresses: list[str] = []  # of IPv4, which lists are full of
        for text in texts:
            if "/" not in text and ":" not in text:
                addresses.append(text)
                continue
            address, slash, length = text.partition("/")
            number, bits = _number(address)
            whole = 128 if ":" in address else 32
            shift = whole - int(length) if slash else 0
            if not 0 <= shift <= bits:
                raise ValueError(f"{text} is no network")
            found.setdefault((bits, shift), set()).add(number >> shift)
        if addresses:
            found.setdefault((32, 0), set()).update(map(_number_of_ipv4, addresses))
        self._by_length = tuple((bits, shift, frozenset(members)) for (bits, shift), members in found.items())

    def __contains__(self, address: str) -> bool:
        if not self._by_length:
            return False
        try:
            number, width = _number(address)
        except ValueError:  # `-`: a request of Squid's own
            return False
        return any(width == bits and number >> shift in members for bits, shift, members in self._by_length)


NOWHERE = Networks()


@dataclass(frozen=True)
class Policy:
    """All that an answer depends on. Without a database it lets everything pass.

    `domains` and `networks` are empty where their list is off. `engine` knows its categories and threshold; it is None
    while its patterns are being compiled, and where it can't be made.
    """

    inspects: bool = False
    blocks: bool = True
    fails_open: bool = True
    denies_addresses: bool = False
    domains: frozenset[str] = frozenset()
    networks: Networks = NOWHERE
    engine: Engine | None = None


class Beside(NamedTuple):
    """What is to be known of a request beside its URL, under one policy: much the same goes for many."""

    method: str
    headers: Mapping[str, str]
    is_refused: bool


def beside_url(policy: Policy, client: str, method: str, host: str, agent: str, referer: str) -> Beside:
    """What follows from all but the URL; absent texts are empty. Lists, and rules on addresses, refuse any URL."""
    headers = {name: text for name, text in (("user-agent", agent), ("referer", referer)) if text}
    is_refused = (
        client in policy.networks
        or (policy.denies_addresses and is_address(host))
        or (bool(policy.domains) and listed(policy.domains, host))
    )
    return Beside(method, headers, is_refused)


def judge(policy: Policy, url: str, beside: Beside) -> Answer:
    """The answer on a request. Raises Unjudged without an engine that it needs."""
    if beside.is_refused:
        return DENIED
    if not policy.inspects:
        return PASSED
    if policy.engine is None:
        raise Unjudged("the WAF's patterns are not there yet")
    verdict = policy.engine.judge(beside.method, url, beside.headers)
    if not verdict.score:
        return INNOCENT
    deny = verdict.blocked and policy.blocks
    return Answer(deny, fitted(verdict.categories), verdict.score, fitted(verdict.rules))


def listed(domains: frozenset[str], host: str) -> bool:
    """Whether a host or one that it is below is in `domains`."""
    name = folded(host)
    while name:
        if name in domains:
            return True
        name = name.partition(".")[2]
    return False


def folded(host: str) -> str:
    """A host as the lists have it: lower case, without the root's dot, ASCII."""
    name = host.rstrip(".").lower()[-LONGEST_HOST:]
    if not name.isascii():
        try:
            return name.encode("idna").decode()
        except UnicodeError:  # no name that could be looked up
            return name
    return name


def is_address(host: str) -> bool:
    """Whether a host is an address, in any spelling that programs take: `127.1`, `0x7f000001`, `[::1]`."""
    if host.startswith("[") or ":" in host:
        return True
    name = host.rstrip(".")
    if not name[:1].isdigit():
        return False
    try:
        socket.inet_aton(name)
    except (OSError, ValueError):
        return False
    return True


def fitted(names: Iterable[str]) -> str:
    """As many names as fit the log format's width, which counts a character it escapes as three a byte."""
    kept: list[str] = []
    room = NOTE_WIDTH
    for name in names:
        room -= sum(1 if character in PLAIN else 3 * len(character.encode("utf-8", "replace")) for character in name)
        if room < 0:
            break
        kept.append(name)
        room -= 1
    else:
        return ",".join(kept)
    return ",".join(kept) or name[:NOTE_WIDTH]


def read_policy(conn: sqlite3.Connection, engine: Engine | None) -> Policy:
    """The policy that stands in the database; `engine` has all categories, on or off."""
    settings = read(conn)
    domains: frozenset[str] = frozenset()
    networks = NOWHERE
    if settings["enable_domain_blacklist"]:
        domains = frozenset(_listed_in(conn, "domain", "domain_blacklist"))
    if settings["enable_ip_blacklist"]:
        networks = Networks(_listed_in(conn, "network", "ip_blacklist"))
    return Policy(
        inspects=bool(settings["enable_waf"]),
        blocks=settings["waf_mode"] == "block",
        fails_open=settings["waf_on_failure"] == "open",
        denies_addresses=bool(settings["block_direct_ip"]),
        domains=domains,
        networks=networks,
        engine=engine and enabled(conn, engine),
    )


def _listed_in(conn: sqlite3.Connection, column: str, table: str) -> list[str]:
    """A list as one text that is cut up: twice as fast as a row an entry, and a start waits for it."""
    (text,) = conn.execute(f"SELECT group_concat({column}, char(10)) FROM {table}").fetchone()
    return text.split("\n") if text else []


def enabled(conn: sqlite3.Connection, engine: Engine) -> Engine:
    """An engine that has all categories, with those that are on and the threshold."""
    off = {name for (name,) in conn.execute("SELECT name FROM waf_categories_off")}
    return engine.with_enabled(engine.enabled - off, int(read(conn)["waf_threshold"]))


def load_engine(instance: Path) -> Engine:
    """The engine with the rules of the program and the owner's own; without these where their file is at fault."""
    from proxyweb.waf.custom import load as load_own  # hyperscan may be missing, and the lists do without it
    from proxyweb.waf.custom import with_own
    from proxyweb.waf.engine import Engine
    from proxyweb.waf.rules import load

    categories = load()
    try:
        return Engine(with_own(categories, load_own(instance)), cache=instance / "cache")
    except ConfigError as error:
        log.warning("only the built-in rules are in force: %s", error.detail)
        return Engine(categories, cache=instance / "cache")


class Complaints:
    """Says what goes wrong, once a minute at most: stderr is Squid's cache.log."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = float("-inf")
        self._unsaid = 0

    def say(self, what: str, error: Exception) -> None:
        now = self._clock()
        if now < self._next:
            self._unsaid += 1
            return
        self._next = now + COMPLAINT_SECONDS
        more = f" (and {self._unsaid} times before)" if self._unsaid else ""
        self._unsaid = 0
        log.warning("%s%s: %s: %s", what, more, type(error).__name__, error)


class PolicyWatcher:
    """Keeps `policy` as the database has it, from `start` to the end of the process.

    Whatever happens to the database (gone, locked, replaced by another), the last policy stays in force.
    """

    def __init__(
        self,
        database: Path,
        make_engine: Callable[[], Engine],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.policy = Policy()
        self.settled = Event()
        """Set once the first look is over and the engine is made, or can't be."""
        self._database = database
        self._make_engine = make_engine
        self._clock = clock
        self._complaints = Complaints(clock)
        self._engine: Engine | None = None
        self._engine_due = float("-inf")
        self._conn: sqlite3.Connection | None = None
        self._file = (0, 0)
        self._generation = -1

    def start(self) -> Self:
        """Begin to watch, in a thread that ends with the process."""
        Thread(target=self._run, name="policy", daemon=True).start()
        return self

    def look(self) -> None:
        """Read the policy if it has changed, and make the engine if there is none. Raises nothing."""
        self._read()
        if self._engine is None and self._clock() >= self._engine_due:
            self._engine_due = self._clock() + ENGINE_RETRY_SECONDS
            try:
                self._engine = self._make_engine()
            except Exception as error:
                self._complaints.say("the WAF can't judge", error)
                return
            self._read()

    def close(self) -> None:
        """Close the connection to the database."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def _run(self) -> None:
        with closing(self):
            while True:
                self.look()
                self.settled.set()
                time.sleep(LOOK_SECONDS)

    def _read(self) -> None:
        try:
            conn = self._connection()
            with snapshot(conn):
                at = generation(conn, "settings")
                if at != self._generation:
                    self.policy = read_policy(conn, self._engine)
                elif self._engine is not None and self.policy.engine is None:  # the lists, which may be long, are read
                    self.policy = replace(self.policy, engine=enabled(conn, self._engine))
            self._generation = at
        except Exception as error:
            self._complaints.say("the last settings stay in force", error)

    def _connection(self) -> sqlite3.Connection:
        """A connection to the file that is there now.

        The old one is held until the new one is open, so that a new file can't have its number. Read-only by the file
        itself: an ordinary connection to a replaced file would remove its successor's journal as it is closed.
        """
        status = self._database.stat()
        file = (status.st_dev, status.st_ino)
        if self._conn is None or file != self._file:
            conn = sqlite3.connect(
                f"{self._database.absolute().as_uri()}?mode=ro",
                uri=True,
                isolation_level=None,
                timeout=BUSY_SECONDS,
                check_same_thread=False,
            )
            self.close()
            self._conn, self._file, self._generation = conn, file, -1
        return self._conn


def _number(address: str) -> tuple[int, int]:
    """An address as a number, and its bits; an IPv4 address in IPv6 as the IPv4 address. Raises ValueError."""
    if ":" not in address:
        return _number_of_ipv4(address), 32
    try:
        number = int.from_bytes(socket.inet_pton(socket.AF_INET6, address), "big")
    except (OSError, ValueError) as error:
        raise ValueError(f"{address!r} is no address") from error
    return (number & 0xFFFFFFFF, 32) if number >> 32 == MAPPED else (number, 128)


def _number_of_ipv4(address: str) -> int:
    try:
        return int.from_bytes(socket.inet_pton(socket.AF_INET, address), "big")
    except (OSError, ValueError) as error:
        raise ValueError(f"{address!r} is no address") from error
