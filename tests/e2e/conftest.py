"""What a Squid with a helper is tried with: an origin, and an instance whose patterns are compiled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.asking import change
from tests.e2e.origin import Origin


@pytest.fixture
def judging(instance: Path, compiled: Path) -> Path:
    """An instance folder whose WAF is on."""
    (instance / "cache").symlink_to(compiled)
    change(instance, enable_waf="true")
    return instance


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as origin:
        yield origin
