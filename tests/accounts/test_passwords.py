"""Passwords: argon2id, no truncation, the same work for an unknown user."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import pytest

from proxyweb.accounts import passwords
from proxyweb.errors import Invalid


def test_argon2id_with_owasps_parameters() -> None:
    assert passwords.hashed("a password").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("password", ["x" * 8, "x" * 1024, "p\0ssword", "пароль пароль", " eight  8 ", "x" * 100])
def test_any_text_of_8_to_1024_characters(password: str) -> None:
    passwords.check(password)
    hashed = passwords.hashed(password)
    assert passwords.verify(hashed, password)
    assert not passwords.verify(hashed, password[:-1])
    assert not passwords.verify(hashed, password + "x")


@pytest.mark.parametrize("password", ["", "seven 7", "x" * 1025])
def test_shorter_and_longer_ones_are_refused(password: str) -> None:
    with pytest.raises(Invalid, match="8 to 1024 characters"):
        passwords.check(password)


def test_no_user_has_no_password() -> None:
    assert not passwords.verify(None, "")
    assert not passwords.verify("not a hash", "not a hash")


WITHOUT_MEMORY = """
import re, resource
from pathlib import Path
from proxyweb.accounts import passwords
hashed = passwords.hashed("a password")
size = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))
for ask in (lambda: passwords.verify(hashed, "a password"), lambda: passwords.hashed("another")):
    try:
        print(ask())
    except MemoryError:
        print("no memory")
"""


def test_without_memory_no_password_is_called_wrong() -> None:
    """Else five tries with the right one would lock their user out."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_MEMORY], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["no memory", "no memory", ""]


def test_an_unknown_user_takes_as_long_as_a_wrong_password() -> None:
    hashed = passwords.hashed("a password")
    times: dict[str | None, list[float]] = {hashed: [], None: []}
    for _ in range(15):
        for password_hash in times:
            started = time.process_time()
            passwords.verify(password_hash, "another one")
            times[password_hash].append(time.process_time() - started)
    known, unknown = (statistics.median(taken) for taken in times.values())
    assert 0.5 < known / unknown < 2, "the work is the same; only a machine that stutters makes a difference"


def test_generated_ones_are_long_and_differ() -> None:
    made = {passwords.generated() for _ in range(100)}
    assert len(made) == 100
    assert min(map(len, made)) == 20
