"""What a Squid with a helper is tried with: an origin, and an instance whose patterns are compiled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyweb.waf.engine import Engine
from proxyweb.waf.rules import load
from tests.e2e.asking import change
from tests.e2e.origin import Origin


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled patterns, which take seconds."""
    folder = tmp_path_factory.mktemp("compiled")
    Engine(load(), cache=folder)
    return folder


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
