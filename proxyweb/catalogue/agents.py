"""User agents: which program sent a request, on which system and device, and what kind of program that is.

Programs that say who they are come from the rules in `agent_rules.py`; browsers, systems and devices from ua-parser's
collection of expressions, which is loaded on first use (0.12 s and 27 MB).
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from proxyweb.catalogue.agent_rules import (
    APP_FAMILIES,
    BOT,
    BROWSER,
    BROWSER_FAMILIES,
    DESKTOP_APP,
    MOBILE_APP,
    OTHER,
    RULES,
)

if TYPE_CHECKING:
    from ua_parser import Parser, Result

LONGEST_READ = 1024  # ua-parser needs 0.3 ms for 512 characters of the worst kind, and nobody names a program later on
LONGEST_NAME = 64
REMEMBERED = 8192
UNKNOWN = "Unknown"
MAC = "(x86_64)"  # in the text of Apple's CFNetwork; without it, it may be a phone or a newer Mac
_BOT = re.compile(  # CUBOT makes phones
    r"(?P<name>[\w-]{0,28}(?:(?<!cu)bot\b|crawler|spider)[\w-]{0,28})|\+https?://", re.IGNORECASE
)
_FAMILY_NAMES = {
    "IE": "Internet Explorer",
    "IE Mobile": "Internet Explorer",
    "Edge Mobile": "Edge",
    "Mobile Safari UI/WKWebView": "iOS WebView",
}
_SYSTEM_NAMES = {
    "ATV OS X": "tvOS",
    "Chrome OS": "ChromeOS",
    "Chromecast Android": "Android",
    "Mac OS X": "macOS",
    "Web0S": "webOS",
}
_VERSIONED = ("Windows", "Android", "iOS")  # what Macs send stands still at 10.15


class Agent(NamedTuple):
    """What a user agent says, each empty where it says nothing. `name` never is."""

    name: str
    system: str
    device: str
    service_type: str


@lru_cache(REMEMBERED)
def classify(agent: str) -> Agent:
    """The program behind a `User-Agent` header. Any text is taken; what nobody knows is named by its first word."""
    text = agent[:LONGEST_READ].strip()
    if text in ("", "-"):
        return Agent(UNKNOWN, "", "", OTHER)
    parsed = _parser().parse(text)
    service_type, name = _by_rule(text) or _by_family(text, parsed)
    return Agent(name or _first_word(text), _system(text, parsed), _device(parsed), service_type)


@cache
def _parser() -> Parser:
    """ua-parser without a cache of its own."""
    from ua_parser import BestAvailableResolver, Parser, load_lazy_builtins

    return Parser(BestAvailableResolver(load_lazy_builtins()))


def _by_rule(text: str) -> tuple[str, str] | None:
    folded = text.lower()
    for service_type, name, pattern in RULES:
        if isinstance(pattern, str):
            found = folded.startswith(pattern[1:]) if pattern[0] == "^" else pattern in folded
        elif pattern.pattern[0] == "^":
            found = pattern.match(folded) is not None
        else:
            found = pattern.search(folded) is not None
        if found:
            return service_type, name
    return None


def _by_family(text: str, parsed: Result) -> tuple[str, str]:
    """For what has no rule: ua-parser's name, and what kind of program has such a name on such a system."""
    family = parsed.user_agent.family if parsed.user_agent else ""
    bot = _BOT.search(text)
    if bot:
        return BOT, bot["name"] or ""
    if "CFNetwork/" in text:
        return (DESKTOP_APP if MAC in text else MOBILE_APP), ""
    if family in APP_FAMILIES:
        return MOBILE_APP, _FAMILY_NAMES.get(family, family)
    if family in BROWSER_FAMILIES or (text.startswith(("Mozilla/", "Opera/")) and parsed.os):
        return BROWSER, _FAMILY_NAMES.get(family, family)
    if parsed.os and parsed.os.family in ("Android", "iOS"):
        return MOBILE_APP, ""
    return OTHER, ""


def _first_word(text: str) -> str:
    """The product before its version: `MyThing` of `MyThing/1.0 (x)`, `Slack` of `Slack/24 CFNetwork/1494`."""
    product = re.split(r"[/(;,{\[]", text.replace("%20", " "), maxsplit=1)[0].strip()
    return "".join(filter(str.isprintable, product))[:LONGEST_NAME] or UNKNOWN


def _system(text: str, parsed: Result) -> str:
    if "CFNetwork/" in text:
        return "macOS" if MAC in text else "Apple"
    if parsed.os is None:
        return ""
    family, version = parsed.os.family, parsed.os.major
    if (family, version) == ("Windows", "95"):  # `Win32_x86_64`
        return family
    name = _SYSTEM_NAMES.get(family, family)
    return f"{name} {version}" if family in _VERSIONED and version else name


def _device(parsed: Result) -> str:
    """Brand and model; what ua-parser calls generic or a spider is no device."""
    if parsed.device is None or (parsed.device.brand or "").startswith(("Generic", "Spider")):
        return ""
    return "" if parsed.device.family == "iOS-Device" else parsed.device.family
