"""Check digits and names."""

from __future__ import annotations

import pytest

from proxyweb.waf.checks import iban, luhn, tautology


@pytest.mark.parametrize(
    "text", ["4111111111111111", "4111 1111 1111 1111", "a 5555-5555-5555-4444 b", "378282246310005"]
)
def test_cards(text: str) -> None:
    assert luhn(text)


@pytest.mark.parametrize("text", ["4111111111111112", "0000000000000000", "1234", "1.4111111111111111", ""])
def test_no_cards(text: str) -> None:
    assert not luhn(text)


@pytest.mark.parametrize("text", ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32", "to ch9300762011623852957."])
def test_accounts(text: str) -> None:
    assert iban(text)


@pytest.mark.parametrize("text", ["DE88370400440532013000", "AB12", "XX00 0000 0000 0000"])
def test_no_accounts(text: str) -> None:
    assert not iban(text)


def test_tautologies() -> None:
    assert tautology("x or name = name")
    assert not tautology("x or name = other")
