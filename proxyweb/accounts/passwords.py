"""Passwords: their rules, and argon2id with OWASP's second set of parameters (19 MiB, two passes: about 23 ms)."""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from proxyweb.errors import Invalid

SHORTEST, LONGEST = 8, 1024
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def check(password: str, field: str = "password") -> None:
    """Raise Invalid unless `password` may be one: 8 to 1024 characters of any kind."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid([(field, f"must be {SHORTEST} to {LONGEST} characters")])


def hashed(password: str) -> str:
    return _hasher.hash(password)


def verify(password_hash: str | None, password: str) -> bool:
    """Whether `password` is the one; takes the same time when there is no such user (`password_hash` is None)."""
    decoy = _decoy()
    try:
        matches = _hasher.verify(password_hash or decoy, password)
    except (VerificationError, InvalidHashError):
        return False
    return matches and password_hash is not None


def generated() -> str:
    """A password to be printed once: 120 random bits."""
    return secrets.token_urlsafe(15)


@cache
def _decoy() -> str:
    return _hasher.hash(secrets.token_hex())
