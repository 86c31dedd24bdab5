"""Verdicts remembered in memory: what costs 23 ms to prove is proved once, and forgotten when accounts change."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from proxyweb.accounts.identity import Identity

MOST = 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who it is, until when (Unix seconds), and the `accounts` generation this was found at."""

    identity: Identity
    until: float
    generation: int


class Verdicts:
    """A bounded table of verdicts by a keyed hash of the credential, never the credential itself."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._verdicts: dict[bytes, Verdict] = {}
        self._lock = threading.Lock()

    def get(self, key: bytes, generation: int, now: float) -> Identity | None:
        verdict = self._verdicts.get(key)
        if verdict is None or verdict.generation != generation or now >= verdict.until:
            return None
        return verdict.identity

    def put(self, key: bytes, verdict: Verdict) -> None:
        with self._lock:
            self._verdicts.pop(key, None)
            if len(self._verdicts) >= self._most:
                del self._verdicts[next(iter(self._verdicts))]
            self._verdicts[key] = verdict
