"""One engine with all rules for every test: compiling takes seconds, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxyweb.waf.engine import Engine
from proxyweb.waf.rules import load


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("waf-cache")


@pytest.fixture(scope="session")
def engine(cache: Path) -> Engine:
    return Engine(load(), cache=cache)
