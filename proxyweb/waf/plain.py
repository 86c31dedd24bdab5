"""URLs without any disguise: in them, what rules look at stands as it is.

Most are. A pass over the text gives of these what `request.values` gives in many; of all others it gives nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from proxyweb.waf.request import MOST_PAIRS, SHORTEST_PACKED, unpacked

LONGEST = 2048
# Printable ASCII without what the normal form undoes (% + & \) and what has a meaning where it stands.
_IN_PATH = r"[!-$'->@-\[\]-~]"
_IN_VALUE = r"[!-$'-*,-\[\]-~]"
_IN_BARE_VALUE = r"[!-$'-*,-:<>-\[\]-~]"
_NAME = r"[A-Za-z0-9_.-]*+="
_PAIR = rf"(?:{_NAME}{_IN_VALUE}*+|{_IN_BARE_VALUE}*+)"
_PLAIN = re.compile(
    rf"https?://([a-z0-9.-]++)(?::[0-9]++)?+(/{_IN_PATH}*+)(?:\?({_PAIR}(?:&{_PAIR}){{0,{MOST_PAIRS}}}+))?+"
).fullmatch
_BEFORE_VALUE = re.compile(rf"&(?:{_NAME})?+")
_PERHAPS_PACKED = re.compile(rf"^[A-Za-z0-9/_-]{{{SHORTEST_PACKED},}}+={{0,2}}$", re.MULTILINE)


class Plain(NamedTuple):
    """The parts of a URL, and the values of its query a line each; lines may be empty."""

    host: str
    path: str
    query: str
    lines: str


def plain(url: str) -> Plain | None:
    """A URL taken apart; None where that takes more than a look."""
    found = _PLAIN(url)
    if found is None or len(url) > LONGEST:
        return None
    host, path, query = found.groups()
    if not query:
        return Plain(host, path, "", "")
    lines = _BEFORE_VALUE.sub("\n", f"&{query}")
    for packed in _PERHAPS_PACKED.finditer(lines):
        if unpacked(packed[0]) != packed[0]:
            return None
    return Plain(host, path, query, lines)
