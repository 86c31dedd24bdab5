"""The schema's versions: SQL in a file beside each one's script, so that a new database needs no Alembic to be made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

VERSIONS = Path(__file__).parent / "versions"


def known_versions() -> list[str]:
    """The versions this code has, oldest first, by their file names (`0001_initial.py` is `0001`)."""
    return sorted(path.name[:4] for path in VERSIONS.glob("[0-9][0-9][0-9][0-9]_*.py"))


def statements(version: str) -> Iterator[str]:
    """The SQL statements that lead to a version from the one before it."""
    [path] = VERSIONS.glob(f"{version}_*.sql")
    return (statement for statement in path.read_text("utf-8").split(";\n") if statement.strip())
