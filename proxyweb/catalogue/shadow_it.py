"""Which service a host belongs to: the built-in catalogue, with what the owner adds, replaces or removes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from proxyweb.errors import ConfigError

Risk = Literal["low", "medium", "high"]
RISKS = ("low", "medium", "high")
BUILT_IN = Path(__file__).with_name("shadow_it.toml")
# Two labels at least, the last one no number: an address is no domain, and no entry can claim a whole "com".
_DOMAIN = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Service:
    """A service, and the domains it is seen by: each stands for itself and every host below it."""

    name: str
    category: str
    domains: tuple[str, ...]
    risk: Risk | None = None
    note: str = ""


class Catalogue:
    """Services in the order of their files, their categories, and the look-up from a host to its service."""

    def __init__(self, services: Iterable[Service]) -> None:
        self.services = tuple(services)
        self.categories = tuple(dict.fromkeys(service.category for service in self.services))
        self._owners = {domain: service for service in self.services for domain in service.domains}
        self._most_dots = max((domain.count(".") for domain in self._owners), default=0)

    def match(self, host: str) -> Service | None:
        """The service with the longest domain that is `host` or stands above it, label by label; None for an address.

        Case and one trailing dot make no difference. One look-up a label, and of no more labels than the longest
        domain has: a host of a thousand labels costs little more than one of five.
        """
        if ":" in host:  # IPv6, whose zone may look like a host: fe80::1%a.box.com
            return None
        suffix = host.lower().removesuffix(".")
        if suffix.count(".") > self._most_dots:
            suffix = ".".join(suffix.rsplit(".", self._most_dots + 1)[1:])
        owners = self._owners
        while suffix:
            service = owners.get(suffix)
            if service is not None:
                return service
            suffix = suffix.partition(".")[2]
        return None


def load(override: Path | None = None) -> Catalogue:
    """The built-in catalogue, changed by the file `override` where there is one.

    A service in it takes the place of the built-in one of that name, and its domains from any other that holds them:
    an update that brings a domain the owner has listed already must not stop the start. Raises ConfigError with one
    sentence that names the file, the entry and what is wrong with it. Takes some 25 ms, three quarters of them in
    tomllib: meant for once a process.
    """
    services = {name.casefold(): service for name, service in _entries(BUILT_IN) if service}
    try:
        changes = [] if override is None else list(_entries(override))
    except FileNotFoundError:
        changes = []
    spelling = {service.category.casefold(): service.category for service in services.values()}
    owned: dict[str, Service] = {}
    for name, service in changes:
        if service is not None:
            category = spelling.setdefault(service.category.casefold(), service.category)
            services[name.casefold()] = service = replace(service, category=category)
            owned.update(dict.fromkeys(service.domains, service))
        elif services.pop(name.casefold(), None) is None:
            raise ConfigError(f"{override}: {name} can't be removed; the catalogue has no service of that name.")
    return Catalogue(_with_their_own(services.values(), owned))


def _with_their_own(services: Iterable[Service], owned: dict[str, Service]) -> Iterator[Service]:
    """Services without the domains that another owns, and none that is left without a domain."""
    for service in services:
        lost = {domain for domain in service.domains if owned.get(domain, service) is not service}
        if not lost:
            yield service
        elif len(lost) < len(service.domains):
            yield replace(service, domains=tuple(domain for domain in service.domains if domain not in lost))


def _entries(path: Path) -> Iterator[tuple[str, Service | None]]:
    """Each name in a catalogue file with its service; None where it is to be removed."""
    names: set[str] = set()
    owners: dict[str, str] = {}
    for category, table in _read(path).items():
        if not isinstance(table, dict) or not _is_text(category):
            raise ConfigError(f'{path}: {category!r} must be a category with services in it, such as ["File sharing"].')
        for name, entry in table.items():
            try:
                service = _service(name, category, entry)
                if name.casefold() in names:
                    raise ValueError("is there twice")
                names.add(name.casefold())
                for domain in service.domains if service else ():
                    if domain in owners:
                        raise ValueError(f"has the domain {domain}, which {owners[domain]} has already")
                    owners[domain] = name
            except ValueError as error:
                raise ConfigError(f"{path}: {name!r} in {category!r} {error}.") from error
            yield name, service


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} can't be read: {error}.") from error


def _service(name: str, category: str, entry: object) -> Service | None:
    """The service of one entry, or None for `remove = true`. Raises ValueError with what is wrong, after its name."""
    if not _is_text(name) or "/" in name:  # the name is one segment of the address that sets a service's status
        raise ValueError("must have a name of 1 to 200 printable characters without a slash")
    if not isinstance(entry, dict):
        raise ValueError('must be written as { domains = ["example.com"] }')
    if entry == {"remove": True}:
        return None
    if "remove" in entry:
        raise ValueError("must have nothing but remove = true to be removed")
    for key in entry.keys() - {"domains", "risk", "note"}:
        raise ValueError(f"has the unknown key {key!r}; domains, risk and note are known")
    domains, risk, note = entry.get("domains"), entry.get("risk"), entry.get("note", "")
    if not isinstance(domains, list) or not domains:
        raise ValueError('must have a list of domains, such as domains = ["example.com"]')
    if risk is not None and risk not in RISKS:
        raise ValueError("must have low, medium or high as its risk")
    if note != "" and not _is_text(note):
        raise ValueError("must have a note of at most 200 printable characters")
    return Service(name, category, tuple(map(_domain, domains)), cast("Risk | None", risk), note)


def _domain(value: object) -> str:
    if not isinstance(value, str) or not _DOMAIN.match(value.lower()):
        raise ValueError(f"has {value!r} among its domains, which must be names such as example.com")
    return value.lower()


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 200 and value.isprintable() and value == value.strip()
