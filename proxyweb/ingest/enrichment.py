"""What follows from a host or a user agent: registrable domain, service, program. Asked once for each distinct text."""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from zlib import crc32

from publicsuffixlist import PublicSuffixList

from proxyweb import __version__
from proxyweb.catalogue import shadow_it
from proxyweb.catalogue.agents import Agent, classify
from proxyweb.catalogue.shadow_it import Catalogue


class Enrichment:
    """The built-in knowledge, with what the owner's catalogue file in the instance folder changes. Loaded on first use:
    25 ms for the catalogue, as much for the public suffix list."""

    def __init__(self, override: Path | None = None) -> None:
        self.override = override

    @cached_property
    def catalogue(self) -> Catalogue:
        """Raises ConfigError when the owner's file is not a catalogue."""
        return shadow_it.load(self.override)

    @cached_property
    def _suffixes(self) -> PublicSuffixList:
        return PublicSuffixList(only_icann=True)

    def domain(self, host: str, is_address: bool) -> str:
        """The registrable domain by the public suffix list's ICANN section; an address, and what has none, as it is."""
        if is_address:
            return host
        return self._suffixes.privatesuffix(host) or host

    def service(self, host: str) -> str:
        """The name of the service a host belongs to; empty for none."""
        found = self.catalogue.match(host)
        return found.name if found else ""

    def agent(self, text: str) -> Agent:
        """The program behind a user agent."""
        return classify(text)

    @property
    def fingerprint(self) -> int:
        """Differs when the same texts may be understood differently."""
        made_of = [shadow_it.BUILT_IN.read_bytes(), __version__.encode()]
        made_of += [version(package).encode() for package in ("publicsuffixlist", "ua-parser", "ua-parser-builtins")]
        if self.override is not None and self.override.is_file():
            made_of.append(self.override.read_bytes())
        return crc32(b"\0".join(made_of)) or 1


BUILT_IN = Enrichment()
