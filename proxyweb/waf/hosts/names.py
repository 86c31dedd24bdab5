"""A host's name taken apart: the label somebody registered, and what stands around it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

# Second levels under which countries register names. The public suffix list knows thousands more, and takes longer to
# load than a helper may take to start.
_SECOND_LEVELS = frozenset(
    ("ac", "co", "com", "edu", "gob", "gov", "gouv", "go", "gv", "ltd", "me", "mil", "ne", "net", "nom", "or", "org")
)


class Name(NamedTuple):
    """`sub` are the labels before the registered one, `suffix` is what follows it."""

    sub: tuple[str, ...]
    label: str
    suffix: str

    @property
    def domain(self) -> str:
        return f"{self.label}.{self.suffix}"


@lru_cache(16_384)
def parse(host: str) -> Name | None:
    """The parts of a host, or None where nobody registered it: an address, a single label."""
    labels = host.strip(".").split(".")
    if len(labels) < 2 or labels[-1].isdigit() or ":" in host:
        return None
    suffix = 2 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVELS else 1
    return Name(tuple(labels[: -suffix - 1]), labels[-suffix - 1], ".".join(labels[-suffix:]))
