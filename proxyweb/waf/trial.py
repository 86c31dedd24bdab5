"""A pattern tried out on what was asked for: how much it would have found, before it becomes a rule.

RE2 takes a time linear in the text, but in the pattern as well: with a nasty one, 0.25 s for 8 KB. So a trial looks at
the clock before each text, and ends with what it has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import re2  # type: ignore[import-untyped]

from proxyweb.errors import Invalid

MOST_EXAMPLES = 50
LONGEST_PATTERN = 2000
SECONDS = 2.0
MEMORY = 2 << 20  # four times that, and a pattern may take 6 s for 8 KB

Search = Callable[[bytes], object]


class Trial(NamedTuple):
    """How many texts were looked at, how many matched, and the first different ones that did."""

    scanned: int
    matched: int
    examples: list[str]


def matcher(pattern: str) -> Search:
    """A search for `pattern`, letters in either case, as a rule of the owner's own would.

    Raises Invalid where RE2 takes no such pattern, or where it matches an empty text, and so everything.
    """
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = MEMORY
    try:
        search: Search = re2.compile(pattern, options=options).search
    except (re2.error, UnicodeEncodeError) as error:
        raise Invalid([("regex", f"is no pattern of RE2: {_said(error)}")]) from error
    finally:
        re2.purge()  # it would keep the last 128 patterns, with the memory that their search took
    if search(b""):
        raise Invalid([("regex", "matches an empty text, and so everything")])
    return search


def tried(
    search: Search, chunks: Iterable[list[str]], seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic
) -> Trial:
    """What `search` finds in texts, which come in chunks; after `seconds`, what it has found by then."""
    deadline = clock() + seconds
    scanned = matched = 0
    examples: dict[str, None] = {}
    for chunk in chunks:
        for text in chunk:
            if clock() >= deadline:
                return Trial(scanned, matched, list(examples))
            scanned += 1
            if search(text.encode("utf-8", "replace")):
                matched += 1
                if len(examples) < MOST_EXAMPLES:
                    examples[text] = None
    return Trial(scanned, matched, list(examples))


def _said(error: Exception) -> str:
    """RE2's reason."""
    reason = error.args[0] if isinstance(error, re2.error) and error.args else "it must be text"
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
