"""Exports wait while others are at work, and never for long."""

from __future__ import annotations

from contextlib import ExitStack
from threading import Thread
from time import perf_counter, sleep

import pytest

from proxyweb.courtesy import PATIENCE, UnderWay
from proxyweb.errors import Busy

WORKED = 0.05


def waited(under_way: UnderWay, worked: float = WORKED) -> float:
    """How long an export that worked for so long is kept, in seconds."""
    begun = perf_counter()
    under_way.give_way(begun - worked)
    return perf_counter() - begun


def test_alone_an_export_goes_on_at_once() -> None:
    under_way = UnderWay(most_exports=2)
    under_way.begin()
    with under_way.export():
        assert waited(under_way) < WORKED


def test_exports_do_not_wait_for_each_other() -> None:
    under_way = UnderWay(most_exports=2)
    for _ in range(2):
        under_way.begin()
    with under_way.export(), under_way.export():
        assert waited(under_way) < WORKED


def test_an_export_waits_for_others_but_not_for_ever() -> None:
    under_way = UnderWay(most_exports=2)
    for _ in range(2):
        under_way.begin()
    with under_way.export():
        assert PATIENCE * WORKED <= waited(under_way) < 2 * PATIENCE * WORKED


def test_an_export_goes_on_as_soon_as_the_others_are_done() -> None:
    under_way = UnderWay(most_exports=2)
    for _ in range(2):
        under_way.begin()

    def answer() -> None:
        sleep(0.2)
        under_way.end()

    with under_way.export():
        other = Thread(target=answer)
        other.start()
        assert 0.1 <= waited(under_way, worked=10) < 5, "of the 0.2 s that the other takes, most"
        other.join()


def test_only_so_many_at_once() -> None:
    under_way = UnderWay(most_exports=2)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(under_way.export())
        with pytest.raises(Busy), under_way.export():
            pass
    with under_way.export():
        pass
