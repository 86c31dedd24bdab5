"""Hosts that pose as a brand: a letter off, look-alike characters, or the brand's own address in front of another's."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from proxyweb.waf.hosts.names import Name, parse
from proxyweb.waf.normalise import skeleton

FILE = Path(__file__).with_name("brands.toml")
SHORTEST = 6  # what is shorter is a letter away from too many words
_FOLDED = str.maketrans(
    {"0": "o", "1": "l", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g", "i": "l", "|": "l"}
)
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("nn", "m"))
_BAIT = re.compile(
    r"(?:log|sign|log-?i|sign-?i)n|secure?|security|verif\w*|account\w*|update\w*|support|auth\w*|wallet|pass(?:word)?|recover\w*"
    r"|unlock\w*|confirm\w*|billing|payment\w*|invoice|refund|bonus|giveaway|alert|service|helpdesk|webscr|id|myaccount|online"
)


class Brands(NamedTuple):
    """`names` are what is imitated; `domains` belong to the brands or to others with a right to their name."""

    names: frozenset[str]
    domains: frozenset[str]
    labels: frozenset[str]
    shortened: dict[str, tuple[str, ...]]
    folded: dict[str, str]


@cache
def load() -> Brands:
    """The brands of `brands.toml`."""
    table = tomllib.loads(FILE.read_text("utf-8"))
    domains = frozenset(" ".join([*table["brands"].values(), table["others"]]).split())
    names = frozenset(parsed.label for parsed in map(parse, " ".join(table["brands"].values()).split()) if parsed)
    shortened: dict[str, list[str]] = {}
    for name in names:
        if len(name) >= SHORTEST:
            for variant in {name, *_without_one(name)}:
                shortened.setdefault(variant, []).append(name)
    labels = frozenset(parsed.label for parsed in map(parse, domains) if parsed) | frozenset(table["words"].split())
    folded = {_fold(name): name for name in names if len(name) >= 4}
    return Brands(names, domains, labels, {variant: tuple(of) for variant, of in shortened.items()}, folded)


@lru_cache(1024)
def posing(host: str) -> float:
    """How sure it is that `host` poses as a brand: 0 not at all, 0.5 one letter off, 1 sure."""
    name = parse(host)
    if name is None:
        return 0.0
    known = load()
    if name.domain in known.domains or name.label in known.names:
        return 0.0
    if _in_front(name, known):
        return 1.0
    return _of_label(name.label)


@lru_cache(16_384)
def _of_label(label: str) -> float:
    """The same of a label, whoever's domain it is."""
    known = load()
    if label in known.labels:
        return 0.0
    shown = _shown(label)
    if (shown != label and shown in known.names and len(shown) >= 4) or _looks_like(shown, known):
        return 1.0
    off = _one_off(shown, known)
    return max(off, _baiting(shown, known))


def perhaps(host: str) -> bool:
    """One letter off a brand, or a brand with a bait word."""
    return posing(host) > 0


def sure(host: str) -> bool:
    """A look-alike, a swap or doubling of letters, or a brand's whole address in front of another's."""
    return posing(host) >= 1


def _shown(label: str) -> str:
    """The label as people see it, in ASCII for what looks like it."""
    if label.startswith("xn--"):
        try:
            label = label[4:].encode("ascii").decode("punycode")
        except (UnicodeError, ValueError, OverflowError):
            return label
    return skeleton(label).lower()


def _fold(label: str) -> str:
    for pair, single in _PAIRS:
        label = label.replace(pair, single)
    return label.translate(_FOLDED)


def _looks_like(label: str, known: Brands) -> bool:
    """The label has a sign for a letter that it looks like: paypa1, rnicrosoft."""
    brand = known.folded.get(_fold(label))
    return brand is not None and brand != label and (any(map(str.isdigit, label)) or len(label) > len(brand))


def _in_front(name: Name, known: Brands) -> bool:
    """`paypal.com.example.net`, `login-paypal.com.x.test`: a brand's address among the labels of another's."""
    labels = name.sub
    return any(
        f"{first.rpartition('-')[2]}.{second}" in known.domains and len(first) >= SHORTEST
        for first, second in pairwise(labels)
    )


def _one_off(label: str, known: Brands) -> float:
    """1 for two letters swapped or one doubled, 0.5 for one more, one less or another one."""
    if len(label) < SHORTEST - 1:
        return 0.0
    best = 0.0
    for variant in {label, *_without_one(label)}:
        for brand in known.shortened.get(variant, ()):
            best = max(best, _likeness(label, brand))
    return best


def _likeness(label: str, brand: str) -> float:
    if label == brand or abs(len(label) - len(brand)) > 1:
        return 0.0
    differing = [place for place, (a, b) in enumerate(zip(label, brand, strict=False)) if a != b]
    if len(label) == len(brand):
        if len(differing) == 1:
            return 0.5
        first, second = differing[0], differing[-1]
        swapped = len(differing) == 2 and second == first + 1
        return 1.0 if swapped and label[first] == brand[second] and label[second] == brand[first] else 0.0
    place = differing[0] if differing else min(len(label), len(brand))
    longer, shorter = (label, brand) if len(label) > len(brand) else (brand, label)
    if longer[:place] + longer[place + 1 :] != shorter:
        return 0.0
    doubled = longer is label and place > 0 and longer[place] == longer[place - 1] and len(brand) > SHORTEST
    return 1.0 if doubled else 0.5


def _baiting(label: str, known: Brands) -> float:
    """`paypal-login`, `secure-paypal-account`: a brand, and nothing but words that ask for trust."""
    parts = label.split("-")
    if len(parts) < 2:
        return 0.0
    others = [part for part in parts if part not in known.names]
    return 0.5 if len(others) < len(parts) and others and all(map(_BAIT.fullmatch, others)) else 0.0


def _without_one(name: str) -> Iterator[str]:
    return (name[:place] + name[place + 1 :] for place in range(len(name)))
