"""What a pattern can't say: checks of a text that a pattern has matched, by the names that rules call them by."""

from __future__ import annotations

import re
from collections.abc import Callable

from proxyweb.waf.hosts import brands, dga

_CARD = re.compile(r"(?<![\d.])(?:\d[ -]?){12,18}\d(?![\d.])")
_IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![A-Z0-9])", re.IGNORECASE)


def luhn(text: str) -> bool:
    """A payment card's number is in it: 13 to 19 digits whose check digit is right (ISO/IEC 7812-1)."""
    return any(_luhn(re.sub(r"\D", "", found[0])) for found in _CARD.finditer(text))


def _luhn(digits: str) -> bool:
    if len(set(digits)) < 2:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) << (place & 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


_IBAN_LENGTHS = {
    15: "NO", 16: "BE", 18: "DK FI FO GL NL", 19: "MK SI", 20: "AT BA EE KZ LT LU XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VG", 23: "AE GI IL", 24: "AD CZ ES MD PK RO SA SE SK TN", 25: "PT",
    26: "IS TR", 27: "FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB PL", 29: "BR PS QA UA", 30: "JO KW MU", 31: "MT",
}  # fmt: skip
_LENGTH_IN = {country: length for length, countries in _IBAN_LENGTHS.items() for country in countries.split()}


def iban(text: str) -> bool:
    """An account number is in it whose check digits are right (ISO 13616: modulo 97 is 1)."""
    return any(_account(found[0].upper()) for found in _IBAN.finditer(text))


def _account(written: str) -> bool:
    account = written.replace(" ", "")
    length = _LENGTH_IN.get(account[:2], 0)
    if " " in written:
        account = account[:length]  # words may follow
    return len(account) == length > 0 and _mod97(account)


def _mod97(account: str) -> bool:
    return int("".join(str(int(letter, 36)) for letter in account[4:] + account[:4])) % 97 == 1


_SIDES = re.compile(r"\b(?:x?or|and)\b[\s(!+]{1,9}(\w{1,32})\s{0,4}(?:=|<=|>=|like)\s{0,4}\1\b", re.IGNORECASE)


def tautology(text: str) -> bool:
    """A name is compared with itself behind and, or or xor."""
    return _SIDES.search(text) is not None


CHECKS: dict[str, Callable[[str], bool]] = {
    "luhn": luhn,
    "iban": iban,
    "tautology": tautology,
    "made up": dga.likely,
    "surely made up": dga.sure,
    "posing": brands.perhaps,
    "surely posing": brands.sure,
}
WEAKER = {"surely made up": "made up", "surely posing": "posing"}
"""By a check's name, that of one which holds wherever it does."""
