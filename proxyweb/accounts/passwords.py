"""Passwords: their rules, and argon2id with OWASP's second set of parameters (19 MiB, two passes: about 23 ms).

Where there is no memory for that, MemoryError is raised, and nobody is told that a password is wrong.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import HashingError, InvalidHashError, VerificationError
from argon2.low_level import error_to_str

from proxyweb.errors import Invalid

SHORTEST, LONGEST = 8, 1024
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_NO_MEMORY = error_to_str(-22)  # ARGON2_MEMORY_ALLOCATION_ERROR


def check(password: str, field: str = "password") -> None:
    """Raise Invalid unless `password` may be one: 8 to 1024 characters of any kind."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid([(field, f"must be {SHORTEST} to {LONGEST} characters")])


def hashed(password: str) -> str:
    with _memory():
        return _hasher.hash(password)


def verify(password_hash: str | None, password: str) -> bool:
    """Whether `password` is the one; takes the same time when there is no such user (`password_hash` is None)."""
    decoy = _decoy()
    try:
        with _memory():
            matches = _hasher.verify(password_hash or decoy, password)
    except (VerificationError, InvalidHashError):
        return False
    return matches and password_hash is not None


def generated() -> str:
    """A password to be printed once: 120 random bits."""
    return secrets.token_urlsafe(15)


@cache
def _decoy() -> str:
    return hashed(secrets.token_hex())


@contextmanager
def _memory() -> Iterator[None]:
    try:
        yield
    except (HashingError, VerificationError) as error:
        if str(error) == _NO_MEMORY:
            raise MemoryError from error
        raise
