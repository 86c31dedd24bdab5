"""How much each test was given, told at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.fuzz.mutation import GIVEN

TOLD = pytest.StashKey[list[str]]()


@pytest.fixture(autouse=True)
def counted(request: pytest.FixtureRequest) -> Iterator[None]:
    GIVEN.clear()
    begun = time.monotonic()
    yield
    told = request.config.stash.setdefault(TOLD, [])
    told.append(f"{sum(GIVEN.values()):9,} inputs in {time.monotonic() - begun:4.0f} s: {request.node.name}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in terminalreporter.config.stash.get(TOLD, []):
        terminalreporter.write_line(line)
