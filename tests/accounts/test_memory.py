"""Verdicts are forgotten in time, with every change of accounts, and when there are too many."""

from __future__ import annotations

from proxyweb.accounts.identity import Identity
from proxyweb.accounts.memory import Verdict, Verdicts

EVE = Identity(1, "eve", "viewer")


def test_a_verdict_holds_for_its_time_and_generation() -> None:
    verdicts = Verdicts()
    verdicts.put(b"key", Verdict(EVE, until=100, generation=7))
    assert verdicts.get(b"key", 7, 99.9) is EVE
    assert verdicts.get(b"key", 7, 100) is None
    assert verdicts.get(b"key", 8, 50) is None
    assert verdicts.get(b"other", 7, 50) is None


def test_the_oldest_make_room() -> None:
    verdicts = Verdicts(most=2)
    for key in (b"a", b"b", b"a", b"c"):
        verdicts.put(key, Verdict(EVE, until=100, generation=7))
    assert [verdicts.get(key, 7, 0) for key in (b"a", b"b", b"c")] == [EVE, None, EVE]
