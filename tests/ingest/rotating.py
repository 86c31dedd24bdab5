"""What rotates logs: renaming, compressing, copying and cutting, as logrotate and Squid do them."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path


def shift(path: Path) -> None:
    """Rename as logrotate does: `access.log.1` to `access.log.2` and so on, then `access.log` to `access.log.1`."""
    kept = sorted(path.parent.glob(f"{path.name}.*"), key=lambda name: -int(name.name.split(".")[2]))
    for name in kept:
        number, *suffix = name.name.removeprefix(f"{path.name}.").split(".")
        name.rename(path.with_name(".".join([path.name, str(int(number) + 1), *suffix])))
    path.rename(path.with_name(f"{path.name}.1"))


def compress(path: Path) -> Path:
    """As gzip does: the time of the last change is kept."""
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    status = path.stat()
    os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.unlink()
    return packed


def copytruncate(path: Path, suffix: str = ".1") -> Path:
    copy = Path(shutil.copy(path, path.with_name(path.name + suffix)))
    os.truncate(path, 0)
    return copy
