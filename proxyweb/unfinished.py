"""A folder for what is not finished, beside the place where it is to stand: gone at the end, whatever happened.

What a killed process left behind is removed by the next one that makes such a folder in the same place.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = ".proxyweb-unfinished-"


@contextmanager
def unfinished(beside: Path) -> Iterator[Path]:
    """A folder of its user's alone in the folder `beside`, on the same file system. Raises OSError."""
    _sweep(beside)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=beside))
        descriptor = _locked(folder)
        if descriptor is not None:
            break
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _sweep(place: Path) -> None:
    for folder in place.glob(f"{PREFIX}*"):
        if not folder.is_symlink() and (descriptor := _locked(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)


def _locked(folder: Path) -> int | None:
    """The folder's lock, which its process holds; None when another one has it, or has removed the folder."""
    descriptor: int | None = None
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder.exists():
            return descriptor
    if descriptor is not None:
        os.close(descriptor)
    return None
