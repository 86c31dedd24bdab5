"""Settings, places and builds to make include files of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from proxyweb.settings import SETTINGS, Value
from proxyweb.squid_conf.build import UNKNOWN, Build
from proxyweb.squid_conf.include_file import Places, include_file, text

PLACES = Places(Path("/var/log/squid/access.log"), Path("/srv/proxyweb"), ("/opt/proxyweb/bin/proxyweb",))


def values(**changed: Value) -> dict[str, Value]:
    """The defaults, but for these."""
    return {**{declared.name: declared.default for declared in SETTINGS}, **changed}


def written(places: Places = PLACES, build: Build = UNKNOWN, settings: Mapping[str, Value] | None = None) -> str:
    """The file for these settings, or the defaults."""
    return text(include_file(settings or values(), places, build))
