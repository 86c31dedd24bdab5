"""Whether a user can start the helper."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace
from pathlib import Path

import pytest

from proxyweb.cli.squid_conf import _program
from proxyweb.squid_conf.helper_trial import Untried, complaint
from proxyweb.squid_conf.include_file import Places
from tests.squid_conf.places import PLACES

ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def places(instance: Path) -> Places:
    return replace(PLACES, instance=instance, program=_program())


def test_it_starts(places: Places) -> None:
    assert complaint(places, ME) == ""


def test_it_can_not_start(places: Places, tmp_path: Path) -> None:
    assert "No such file" in complaint(replace(places, program=("/none/proxyweb",)), ME)
    assert "ends with 1" in complaint(replace(places, program=("/bin/false",)), ME)
    assert "must be a folder" in complaint(replace(places, instance=Path(places.program[0])), ME)


def test_it_starts_and_can_not_judge(places: Places) -> None:
    (places.instance / "proxyweb.sqlite").unlink()
    assert "the last settings stay in force" in complaint(places, ME)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be someone else")
def test_another_user_has_other_rights(places: Places, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    program = tmp_path / "proxyweb"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert complaint(replace(places, program=(str(program),)), ME) == ""
    assert "Permission denied" in complaint(replace(places, program=(str(program),)), "nobody")


def test_who_can_not_be_tried(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Untried, match="no user nobody-of-this-name"):
        complaint(places, "nobody-of-this-name")
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    with pytest.raises(Untried, match="or root can try it"):
        complaint(places, ME)
