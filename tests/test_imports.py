"""Which part may know which, and what stays cheap to import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import proxyweb

PACKAGE = Path(proxyweb.__file__).parent
ABOVE = {  # what a part must not import, since it stands above it or beside it
    "db": ("api", "dashboard", "cli", "queries", "ingest", "waf", "accounts", "app"),
    "queries": ("api", "dashboard", "cli", "app"),
    "ingest": ("api", "dashboard", "cli", "app"),
    "waf": ("api", "dashboard", "cli", "app"),
    "catalogue": ("api", "dashboard", "cli", "app"),
    "accounts": ("api", "dashboard", "cli", "app"),
    "squid_conf": ("api", "dashboard", "cli", "app"),
    "demo": ("api", "dashboard", "cli", "app"),
    "api": ("dashboard", "cli", "app"),
    "dashboard": ("queries", "ingest", "waf", "cli", "app"),  # its pages ask the API, as everyone does
}
WITHOUT_FLASK = ("db", "queries", "ingest", "waf", "catalogue", "squid_conf")


def modules(part: str) -> list[Path]:
    return sorted((PACKAGE / part).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Every module that `path` imports, at its top or anywhere else, as dotted names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("part", ABOVE)
def test_dependencies_point_one_way(part: str) -> None:
    for path in modules(part):
        for name in imported(path):
            for above in ABOVE[part]:
                assert not f"{name}.".startswith(f"proxyweb.{above}."), f"{path} imports {name}"


@pytest.mark.parametrize("part", WITHOUT_FLASK)
def test_the_lower_parts_know_nothing_of_flask(part: str) -> None:
    for path in modules(part):
        assert not [name for name in imported(path) if name.startswith(("flask", "apiflask", "werkzeug"))], path


def loaded(statement: str) -> set[str]:
    """The top-level modules in memory after `statement`, in an interpreter of its own."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_the_package_imports_nothing_else() -> None:
    assert loaded("import proxyweb") - loaded("import site") == {"proxyweb"}


def test_the_lower_parts_load_no_flask() -> None:
    names = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for part in WITHOUT_FLASK
        for path in modules(part)
        if path.name != "__main__.py" and "migrations" not in path.parts
    ]
    others = ("proxyweb.config", "proxyweb.settings", "proxyweb.privacy", "proxyweb.errors", "proxyweb.escaping")
    assert "flask" not in loaded(f"import {', '.join([*names, *others])}")


def test_help_is_quick() -> None:
    assert not loaded("import proxyweb.cli") & {"flask", "sqlalchemy", "pydantic", "orjson", "alembic"}
