"""The one masking layer: what of an address or a user name may leave the server when `gdpr_mode` is on. Pure."""

from __future__ import annotations

import hmac
import re
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

MASKED_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}x", re.ASCII)
MASKED_HOST = re.compile(r"host-[0-9a-f]{8}", re.ASCII)
MASKED_USER = re.compile(r"user-[0-9a-f]{8}", re.ASCII)
IPV6_MASK = (1 << 128) - (1 << 80)
MASKED_BITS = {4: 24, 6: 48}
MAIL = re.compile(r"[\w.+-]{1,64}(?:@|%(?:25)?40)(?:[\w-]{1,63}\.){1,8}[a-z]{2,24}", re.ASCII | re.IGNORECASE)
MASKED_MAIL = "e-mail"


def mask_address(text: str, key: bytes = b"") -> str:
    """`192.168.1.77` → `192.168.1.x`; IPv6 → its first 48 bits, `2001:db8:1::x`. What is masked stays as it is.

    An IPv4-mapped IPv6 address is masked as the IPv4 address it is. What is no address (Squid may log a client's host
    name) becomes a stable pseudonym, `host-1a2b3c4d`, which without `key` can be guessed back. Empty stays empty.
    """
    if not text or is_masked_address(text):
        return text
    address = _address(text)
    if isinstance(address, IPv4Address):
        return str(address).rpartition(".")[0] + ".x"
    if isinstance(address, IPv6Address):
        return _first_48_bits(address)
    return f"host-{blake2b(text.lower().encode('utf-8', 'surrogatepass'), key=key, digest_size=4).hexdigest()}"


def mask_network(text: str) -> str:
    """An address or a network in CIDR notation, masked; a network stays where it tells no more than a mask does."""
    try:
        found = ip_network(text)
    except ValueError:
        return mask_address(text)
    return text if found.prefixlen <= MASKED_BITS[found.version] else mask_address(str(found.network_address))


def mask_user(name: str, key: bytes) -> str:
    """A stable pseudonym such as `user-1a2b3c4d`; nobody without `key` can tell whose it is. Empty stays empty."""
    if not name or MASKED_USER.fullmatch(name):
        return name
    return f"user-{hmac.digest(key, name.encode('utf-8', 'surrogatepass'), 'sha256').hex()[:8]}"


def mask_mail(url: str) -> str:
    """A URL with a word in place of each e-mail address in it, also of those whose `@` is escaped."""
    return MAIL.sub(MASKED_MAIL, url) if "@" in url or "40" in url else url


def is_whole_address(text: str) -> bool:
    """Whether `text` is an address that masking would shorten, however it is written."""
    return _address(text) is not None


def is_masked_address(text: str) -> bool:
    """Whether `text` is what `mask_address` makes of something."""
    if MASKED_IPV4.fullmatch(text) or MASKED_HOST.fullmatch(text):
        return True
    if not text.endswith("::x"):
        return False
    try:
        return _first_48_bits(IPv6Address(text[:-1])) == text
    except ValueError:
        return False


def _first_48_bits(address: IPv6Address) -> str:
    """The address's first 48 bits in canonical form and a final `x`: `2001:db8:1::x`."""
    network = str(IPv6Address(int(address) & IPV6_MASK))
    return f"{network}x"


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address in `text`: bare, in brackets, with a zone, or IPv4-mapped; None when it is none."""
    bare = text.strip().removeprefix("[").removesuffix("]").partition("%")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
