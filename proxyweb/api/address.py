"""Where a request came from, and how. A header counts only when the peer that sent it is a configured proxy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from proxyweb.config import Config

MOST_HOPS = 32


def client_address(peer: str, forwarded: Sequence[str], config: Config) -> str:
    """The peer, or X-Forwarded-For's rightmost hop that is not a trusted proxy itself.

    `forwarded` holds the header's values in their order. A peer on a Unix socket has no address; whoever may open
    the socket is the reverse proxy, so its header is believed. IPv4-mapped IPv6 is given as IPv4.
    """
    address = _address(peer)
    if address is not None and not _trusted(address, config):
        return str(address)
    for hop in reversed(",".join(forwarded).split(",")[-MOST_HOPS:]):
        candidate = _address(hop)
        if candidate is None:
            break
        address = candidate
        if not _trusted(address, config):
            break
    return str(address) if address is not None else "local"


def is_secure(scheme: str, peer: str, forwarded: Sequence[str], config: Config) -> bool:
    """Whether the browser spoke TLS: to us, or to the trusted proxy that says so in X-Forwarded-Proto."""
    address = _address(peer)
    if scheme == "https" or (address is not None and not _trusted(address, config)):
        return scheme == "https"
    return ",".join(forwarded).rpartition(",")[2].strip().lower() == "https"


def _trusted(address: IPv4Address | IPv6Address, config: Config) -> bool:
    return any(address in network for network in config.trusted_proxies)


@lru_cache(1024)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: bare, with a port, or in brackets; None for anything else."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
