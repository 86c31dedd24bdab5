"""What the program is made of is pinned, and a look at its own source finds nothing that is dangerous."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from configparser import ConfigParser
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_OURS = {"pip", "setuptools", "wheel", "proxyweb"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").split()
    return {normal(name): version for name, _, version in (line.partition("==") for line in lines)}


def test_everything_that_is_named_is_pinned() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    named = setup["options"]["install_requires"]
    named += "".join(setup["options.extras_require"].values())
    names = {normal(re.split(r"[\s\[<>=;]", line)[0]) for line in named.splitlines() if line.strip()}
    assert len(names) > 20
    assert names - pinned().keys() == set()


def test_everything_that_is_installed_is_what_was_pinned() -> None:
    """Also what dependencies depend on."""
    installed = {normal(found.metadata["Name"]): found.version for found in distributions()}
    assert {name: version for name, version in installed.items() if pinned().get(name) != version}.keys() <= NOT_OURS


def test_npm_takes_what_was_locked() -> None:
    named = json.loads((ROOT / "package.json").read_text("utf-8"))
    locked = json.loads((ROOT / "package-lock.json").read_text("utf-8"))["packages"]
    for name in {**named.get("dependencies", {}), **named.get("devDependencies", {})}:
        assert locked[f"node_modules/{name}"]["integrity"].startswith("sha512-")
    assert all("integrity" in package for path, package in locked.items() if path)


def test_bandit_finds_nothing_of_high_severity() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "bandit", "--recursive", "--quiet", "--format", "json", ROOT / "proxyweb"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    report = json.loads(said.stdout)
    assert report["errors"] == []
    assert report["metrics"]["_totals"]["loc"] > 5000
    found = [f"{it['filename']}:{it['line_number']} {it['issue_text']}" for it in report["results"]
             if it["issue_severity"] == "HIGH"]  # fmt: skip
    assert found == []
