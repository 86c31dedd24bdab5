"""The blacklists of domains and of clients' addresses. Whether they are in force, settings say."""

from __future__ import annotations

import re
from encodings.idna import nameprep
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any

from apiflask import APIBlueprint
from flask import Response
from publicsuffixlist import PublicSuffixList
from pydantic import AfterValidator, Field

from proxyweb import audit
from proxyweb.api import context
from proxyweb.api.answers import Done, Page, Shape
from proxyweb.api.binding import answers, body, query
from proxyweb.api.conditional import conditional
from proxyweb.api.envelope import done, success
from proxyweb.api.parameters import Payload, Query, Whole, wrong
from proxyweb.api.times import written
from proxyweb.db.connection import snapshot
from proxyweb.db.database import advance
from proxyweb.db.session import driver
from proxyweb.errors import Conflict, NotFound
from proxyweb.privacy import mask_network
from proxyweb.queries.selection import Mask
from proxyweb.queries.waf_lists import DOMAINS, NETWORKS, Blacklist, Entry, add, entries, remove

blueprint = APIBlueprint("waf_lists", __name__, tag="WAF")

LONGEST_DOMAIN = 253
DOTS = re.compile("[.\u3002\uff0e\uff61]")
LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
MAPPED = IPv6Network("::ffff:0:0/96")
THERE_ALREADY: dict[int | str, Any] = {
    409: {
        "description": "It is on the list already.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}},
    }
}
NOUNS = {DOMAINS: "domain", NETWORKS: "address"}


def domain(text: str) -> str:
    """A domain as the list has it: lower case, without the root's dot, ASCII."""
    labels = [_ascii(label) for label in DOTS.split(text)]
    if len(labels) > 1 and not labels[-1]:
        labels.pop()
    found = ".".join(labels)
    if len(found) > LONGEST_DOMAIN or not all(map(LABEL.fullmatch, labels)) or labels[-1].isdigit():
        raise wrong("must be a domain such as example.com, which stands for everything below it as well")
    if _suffixes().publicsuffix(found, accept_unknown=False) == found:
        raise wrong(f"must be a domain below {found}, which is a public suffix")
    return found


def network(text: str) -> str:
    """An address, or a network in CIDR notation, as the list has it: `10.0.0.7/8` is `10.0.0.0/8`."""
    address, slash, length = text.partition("/")
    try:
        if "%" in address or (slash and not (length.isascii() and length.isdigit())):
            raise ValueError("a zone, or a mask instead of a length")
        found = ip_network(text, strict=False)
    except ValueError as error:
        raise wrong("must be an address such as 192.168.1.77, or a network such as 10.0.0.0/8") from error
    if isinstance(found, IPv6Network) and found.subnet_of(MAPPED):
        found = IPv4Network((int(found.network_address) & 0xFFFFFFFF, found.prefixlen - MAPPED.prefixlen))
    if not found.prefixlen:
        raise wrong("must not be the network of all addresses")
    return str(found.network_address) if found.num_addresses == 1 else str(found)


class ListQuery(Query):
    """Which part of the list."""

    limit: Annotated[int, Whole(1, 1000)] = 100
    offset: Annotated[int, Whole()] = 0
    search: Annotated[str, Field(max_length=LONGEST_DOMAIN, description="Part of an entry or of its description.")] = ""


class NewEntry(Payload):
    """What is to be known of an entry."""

    description: Annotated[str, Field(max_length=200)] = ""


class NewDomain(NewEntry):
    """A domain to block, with everything below it."""

    domain: Annotated[str, Field(max_length=1000), AfterValidator(domain)]


class NewNetwork(NewEntry):
    """A client's address to block, or a network in CIDR notation."""

    ip: Annotated[str, Field(max_length=100), AfterValidator(network)]


class Added(Done):
    """The entry's number."""

    id: int


class Listed(Shape):
    """An entry, and when it was added (UTC)."""

    id: int
    description: str
    added_date: str


class ListedDomain(Listed):
    """A blocked domain, in ASCII; everything below it is blocked as well."""

    domain: str


class ListedNetwork(Listed):
    """A blocked client's address, or network."""

    ip: str


@blueprint.get("/api/domain-blacklist")
@conditional()
@query(ListQuery)
@answers(Page[ListedDomain])
def domain_blacklist(parameters: ListQuery) -> Response:
    """The blocked domains, newest first."""
    return _page(DOMAINS, "domain", parameters)


@blueprint.post("/api/domain-blacklist")
@body(NewDomain)
@answers(Added)
@blueprint.doc(responses=THERE_ALREADY)
def block_domain(payload: NewDomain) -> Response:
    """Block a domain and everything below it, in force within two seconds. A public suffix such as co.uk is refused."""
    return _add(DOMAINS, payload.domain, payload.description)


@blueprint.delete("/api/domain-blacklist/<int:entry_id>")
@answers(Done)
def unblock_domain(entry_id: int) -> Response:
    """Take a domain off the list."""
    return _remove(DOMAINS, entry_id)


@blueprint.get("/api/ip-blacklist")
@conditional()
@query(ListQuery)
@answers(Page[ListedNetwork])
def ip_blacklist(parameters: ListQuery) -> Response:
    """The blocked clients' addresses and networks, newest first.

    While `gdpr_mode` is on, they are shown and searched masked; their descriptions tell them apart.
    """
    return _page(NETWORKS, "ip", parameters, mask_network if context.gdpr() else None)


@blueprint.post("/api/ip-blacklist")
@body(NewNetwork)
@answers(Added)
@blueprint.doc(responses=THERE_ALREADY)
def block_network(payload: NewNetwork) -> Response:
    """Block a client's address, or all of a network, in force within two seconds."""
    return _add(NETWORKS, payload.ip, payload.description)


@blueprint.delete("/api/ip-blacklist/<int:entry_id>")
@answers(Done)
def unblock_network(entry_id: int) -> Response:
    """Take an address or a network off the list."""
    return _remove(NETWORKS, entry_id)


def _page(of: Blacklist, field: str, parameters: ListQuery, mask: Mask | None = None) -> Response:
    limit, offset = parameters.limit, parameters.offset
    with context.reading() as conn, snapshot(conn):
        total, found = entries(conn, of, limit, offset, parameters.search, mask)
    return success([_shown(entry, field) for entry in found], total=total, limit=limit, offset=offset)


def _shown(entry: Entry, field: str) -> dict[str, Any]:
    return {
        "id": entry.id,
        field: entry.name,
        "description": entry.description,
        "added_date": written(entry.added_at),
    }


def _add(to: Blacklist, name: str, description: str) -> Response:
    with context.writing() as session:
        conn = driver(session)
        entry_id = add(conn, to, name, description, context.now())
        if entry_id is None:
            raise Conflict(f"{name} is on the {NOUNS[to]} blacklist already.")
        audit.record(
            session, context.now(), context.identity().username, f"{NOUNS[to]} blacklisted", target=name,
            details=description, address=context.client_address(),
        )  # fmt: skip
        advance(conn, "settings")
    return done(f"{name} is on the {NOUNS[to]} blacklist.", id=entry_id)


def _remove(of: Blacklist, entry_id: int) -> Response:
    with context.writing() as session:
        conn = driver(session)
        name = remove(conn, of, entry_id)
        if name is None:
            raise NotFound(f"There is no entry {str(entry_id)[:20]} on the {NOUNS[of]} blacklist.")
        audit.record(
            session, context.now(), context.identity().username, f"{NOUNS[of]} taken off the blacklist", target=name,
            address=context.client_address(),
        )  # fmt: skip
        advance(conn, "settings")
    shown = mask_network(name) if of is NETWORKS and context.gdpr() else name
    return done(f"{shown} is no longer on the {NOUNS[of]} blacklist.")


def _ascii(label: str) -> str:
    """A label as clients send it. They keep ß and final ς, which nameprep alone would make ss and σ."""
    if label.isascii():
        return label.lower()
    try:
        prepared = re.sub("[^ßς]+", lambda part: nameprep(part[0]), label)
    except UnicodeError as error:
        raise wrong("must be a domain such as example.com: it holds what no domain can") from error
    return prepared if prepared.isascii() else f"xn--{prepared.encode('punycode').decode()}"


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True)
