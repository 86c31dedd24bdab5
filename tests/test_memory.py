"""Memory is given back: cycles that nothing refers to, and what the C library keeps for later."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from proxyweb.memory import EVERY_SECONDS, Thrift


class Node:
    """Refers to itself, so that only a collection finds it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_refers_to_itself_goes_every_few_seconds() -> None:
    now = 0.0
    thrift = Thrift(lambda: now)
    for _ in range(3):
        gone = weakref.ref(Node())
        now += EVERY_SECONDS - 0.1
        gc.disable()  # so that no other collection finds it
        try:
            thrift.look()
            assert gone() is not None
            now += 0.2
            thrift.look()
        finally:
            gc.enable()
        assert gone() is None


def test_what_is_there_at_the_start_is_not_looked_through_again() -> None:
    now = 0.0
    thrift = Thrift(lambda: now)
    now += EVERY_SECONDS
    thrift.look()
    assert gc.get_freeze_count() > 10_000
