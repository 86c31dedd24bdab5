"""Locks on files of the instance folder, held for as long as the process that holds them lives."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxyweb.errors import Conflict


@contextmanager
def held(lock: Path, refusal: str, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock alone, or together with others that share it. Raises Conflict with `refusal`; never waits."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if os.geteuid() == 0:  # root runs a command: the lock stays the program's own
            owner = lock.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(refusal) from None
        yield
    finally:
        os.close(descriptor)
