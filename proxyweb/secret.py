"""The one secret of an installation: 32 random bytes in the instance folder, made once, readable by their owner only.

Nothing is signed or keyed with it directly: `derived` gives every purpose a key of its own.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from proxyweb.errors import ConfigError

SIZE = 32


def load(path: Path) -> bytes:
    """The secret, made when there is none yet; processes that start at once all get the same one.

    Raises ConfigError when the file can't be read or made, or is not ours.
    """
    try:
        if not path.exists():
            _make(path)
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        secret = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"The secret key {path} can't be read or made: {error.strerror}.") from error
    if len(secret) != SIZE:
        raise ConfigError(f"{path} is not a secret key of proxyweb; remove it, and everyone signs in again.")
    return secret


def derived(secret: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose; one key tells nothing about another."""
    return hmac.digest(secret, b"proxyweb " + purpose.encode(), "sha256")


def _make(path: Path) -> None:
    """Written under another name and linked into place: it appears whole, and the first of several wins."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(secrets.token_bytes(SIZE))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(unfinished, path)
        except FileExistsError:
            return
    finally:
        unfinished.unlink(missing_ok=True)
