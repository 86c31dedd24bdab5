"""A request taken apart into the values that rules look at, each in its normal form, once."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import unquote

from proxyweb.waf.normalise import normal

TARGETS = ("path", "query", "host", "agent", "referer", "method", "raw")
PATH, QUERY, HOST, AGENT, REFERER, METHOD, RAW = TARGETS
LONGEST = 8192
MOST_PAIRS = 64
LONGEST_NAME = 128
SHORTEST_PACKED = 16
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]*").fullmatch
_PACKED = re.compile(r"[A-Za-z0-9+/_ -]+={0,2}").fullmatch
_TO_STANDARD = str.maketrans("-_ ", "+/+")
_AUTHORITY_ENDS = re.compile(r"[/?#\\]")
NOTHING: Mapping[str, str] = MappingProxyType({})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_USUAL_SITE = re.compile(r"(https?://)?([a-z0-9.-]{0,254}[a-z0-9])(?::\d+)?/?").fullmatch


class Value(NamedTuple):
    """One text to be judged: its target, its normal form, and the name of the parameter it stands under."""

    target: str
    text: str
    name: str = ""


class Parts(NamedTuple):
    """A URL as a proxy meets it: absolute, from the slash on, or `host:port`."""

    host: str
    path: str
    query: str


def split(method: str, url: str) -> Parts:
    """Host without user and port, path, and query without its mark; a fragment stays where it is."""
    scheme = _SCHEME.match(url)
    if scheme:
        rest = url[scheme.end() :]
    elif method == "CONNECT":
        rest = url
    else:
        path, _, query = url.partition("?")
        return Parts("", path, query)
    end = _AUTHORITY_ENDS.search(rest)
    authority, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    path, _, query = tail.partition("?")
    return Parts(_host(authority), path, query)


def values(method: str, url: str, headers: Mapping[str, str] = NOTHING) -> Iterator[Value]:
    """Everything to be judged in a request. Of an overlong URL, the beginning and the end."""
    if len(url) > LONGEST:
        url = f"{url[: LONGEST * 3 // 4]}{url[-LONGEST // 4 :]}"
    if not url.isascii():
        url = url.encode("utf-8", "replace").decode()
    yield method_value(method)
    yield Value(RAW, url)
    host, path, query = split(method, url)
    if path and path != "/":
        yield Value(PATH, normal(path))
    if query:
        yield from pairs(query, QUERY)
    yield from header_values(host, headers)


def method_value(method: str) -> Value:
    return Value(METHOD, method[:64])


def header_values(host: str, headers: Mapping[str, str]) -> Iterator[Value]:
    """What is to be judged beside the method and the URL. Where that names no host, a header does."""
    for name, content in headers.items():
        match name.lower():
            case "user-agent":
                yield Value(AGENT, normal(content))
            case "referer":
                yield from _referer(content)
            case "host" if not host:
                host = _host(content)
    if host:
        yield Value(HOST, _shown(host))


def host_value(method: str, url: str) -> str:
    """The text of the host's value alone; empty where there is none."""
    usual = _USUAL_SITE(url)
    if usual and (usual[1] or method == "CONNECT"):
        return usual[2]
    return _shown(split(method, url).host)


def pairs(query: str, target: str) -> Iterator[Value]:
    """Each value under its name; and each name that is more than a name, or has no value."""
    given = query.split("&", MOST_PAIRS)
    for pair in given:
        name, equals, content = pair.removeprefix("amp;").partition("=")  # &amp; of a page's source, copied
        if not equals:
            if name:
                yield Value(target, normal(name, plus=True))
            continue
        if not _PLAIN_NAME(name):
            name = normal(name, plus=True)
            yield Value(target, name)
        if content:
            yield Value(target, unpacked(normal(content, plus=True)), name.lower()[:LONGEST_NAME])


def unpacked(text: str) -> str:
    """What is written in base 64, if that is text; anything else as it is."""
    if len(text) < SHORTEST_PACKED or not _PACKED(text):
        return text
    bare = text.translate(_TO_STANDARD).rstrip("=")
    try:
        plain = b64decode(bare + "=" * (-len(bare) % 4))
    except ValueError:
        return text
    return normal(plain.decode("ascii")) if plain.isascii() and plain.decode("ascii").isprintable() else text


def _referer(content: str) -> Iterator[Value]:
    address, mark, query = content[:LONGEST].partition("?")
    yield Value(REFERER, normal(address))
    if mark:
        yield from pairs(query, REFERER)


def _shown(host: str) -> str:
    """Lower case, decoded where something is encoded. Look-alikes stay what they are: they are the point."""
    if "%" in host:
        host = unquote(host, errors="replace")
    return host.lower()[:255]


def _host(authority: str) -> str:
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].removesuffix(".")
