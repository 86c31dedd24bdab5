"""The settings that are text: each in one form, and made only of what that form knows.

They end up in Squid's configuration, so a line's end, a quote or a blank of somebody's own must not get through. Each
function takes what was given, and raises ValueError that says what it must be. Its result given again is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MOST = 100
_EXTENSION = re.compile(r"[a-z0-9]{1,10}", re.ASCII)
_HOURS = re.compile(r"([SMTWHFAD]{1,8}) (\d\d):([0-5]\d)-(\d\d):([0-5]\d)", re.ASCII)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)+(?!\d+$){_LABEL}", re.ASCII)


def extensions(text: str) -> str:
    """File extensions, folded and without their dots: `exe,msi`."""
    found = _distinct(part.removeprefix(".") for part in _parts(text.lower()))
    if not found or not all(map(_EXTENSION.fullmatch, found)):
        raise ValueError("must be file extensions separated by commas, such as exe,msi,bat")
    return ",".join(found)


def working_hours(text: str) -> str:
    """Days and hours in Squid's letters, from earlier to later within a day: `MTWHF 08:00-18:00, A 09:00-12:30`."""
    found = _distinct(re.sub(" +", " ", part) for part in _parts(text.upper()))
    if not found or not all(map(_is_hours, found)):
        raise ValueError(
            "must be days and hours such as MTWHF 08:00-18:00 (M T W H F, A for Saturday, S for Sunday, D for Monday"
            " to Friday), from earlier to later, several separated by commas"
        )
    return ", ".join(found)


def domains(text: str) -> str:
    """Domains, or nothing, in ASCII and folded: `bank.example,example.org`. What is below another one is left out."""
    found = _distinct(part.strip(".") for part in _parts(text.lower()))
    if not all(map(_DOMAIN.fullmatch, found)):
        raise ValueError("must be domains in ASCII separated by commas, such as bank.example,xn--bcher-kva.example")
    return ",".join(domain for domain in found if not any(domain.endswith(f".{above}") for above in found))


def _parts(text: str) -> list[str]:
    """What commas separate. Only blanks around it are taken off: any other space is at fault."""
    parts = [part.strip(" ") for part in text.split(",")] if text.strip(" ") else []
    if len(parts) > MOST:
        raise ValueError(f"must be {MOST} at most")
    return parts


def _distinct(parts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(parts))


def _is_hours(text: str) -> bool:
    match = _HOURS.fullmatch(text)
    if match is None:
        return False
    from_hour, from_minute, to_hour, to_minute = map(int, match.groups()[1:])
    return from_hour * 60 + from_minute < to_hour * 60 + to_minute <= 24 * 60
