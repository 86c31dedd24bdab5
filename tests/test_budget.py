"""Whoever had too much done waits; others don't, and neither does who asks for little."""

from __future__ import annotations

import pytest

from proxyweb.budget import MOST_KNOWN, Budget
from proxyweb.errors import TooMany
from tests.conftest import Clock


@pytest.fixture
def budget(clock: Clock) -> Budget:
    return Budget("searching", 30, clock)


def work(budget: Budget, clock: Clock, seconds: float, user: str = "ann") -> None:
    with budget.spending(user):
        clock.now += seconds


def test_little_work_is_never_refused(budget: Budget, clock: Clock) -> None:
    for _ in range(1000):
        work(budget, clock, 0.1)
        clock.now += 0.1


def test_who_had_too_much_done_waits_until_there_is_something_left(budget: Budget, clock: Clock) -> None:
    for _ in range(11):
        work(budget, clock, 5)
    with pytest.raises(TooMany, match="Too much searching in a minute; try again in 1 seconds") as refused:
        work(budget, clock, 5)
    work(budget, clock, 5, "bob")
    clock.now += refused.value.retry_after
    work(budget, clock, 5)


def test_what_fails_costs_as_well(budget: Budget, clock: Clock) -> None:
    with pytest.raises(ZeroDivisionError), budget.spending("ann"):
        clock.now += 70
        raise ZeroDivisionError
    with pytest.raises(TooMany) as refused:
        work(budget, clock, 1)
    assert refused.value.retry_after == 80


def test_users_who_owe_nothing_are_forgotten(budget: Budget, clock: Clock) -> None:
    for number in range(3 * MOST_KNOWN):
        work(budget, clock, 0.001, f"user {number}")
        clock.now += 1
    assert len(budget._spent) <= MOST_KNOWN
