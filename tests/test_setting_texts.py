"""Settings that are text: one form, and nothing that Squid's configuration could be made to mean otherwise."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyweb.setting_texts import MOST, domains, extensions, working_hours
from proxyweb.settings import SETTINGS

FORMS = (extensions, working_hours, domains)
HARMLESS = re.compile(r"[A-Za-z0-9_.,: -]*")


@pytest.mark.parametrize(
    ("given", "kept"),
    [("exe", "exe"), (" .EXE , msi,exe", "exe,msi"), ("7z,ps1", "7z,ps1")],
)
def test_extensions(given: str, kept: str) -> None:
    assert extensions(given) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("MTWHF 08:00-18:00", "MTWHF 08:00-18:00"),
        ("d  08:00-18:00,A 00:00-24:00", "D 08:00-18:00, A 00:00-24:00"),
    ],
)
def test_working_hours(given: str, kept: str) -> None:
    assert working_hours(given) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", ""), ("  ", ""), ("Bank.Example", "bank.example"), (".a.example,a.example", "a.example"),
        ("b.a.example, a.example, ba.example", "a.example,ba.example"),
    ],
)  # fmt: skip
def test_domains(given: str, kept: str) -> None:
    assert domains(given) == kept


@pytest.mark.parametrize("bad", ["", ",", "exe,", "tar.gz", "exe msi", "exe\n", "e|x", "..exe", "éxe", "a" * 11, "$"])
def test_no_extensions(bad: str) -> None:
    with pytest.raises(ValueError, match="must be file extensions"):
        extensions(bad)


@pytest.mark.parametrize(
    "bad",
    [
        "", "08:00-18:00", "X 08:00-18:00", "M 8:00-18:00", "M 18:00-08:00", "M 08:00-08:00", "M 08:00-24:01",
        "M 08:60-18:00", "M 08:00-18:00\nhttp_access allow all", "M\t08:00-18:00", "M ٠٨:00-18:00", "M 08:00-18:00,",
    ],
)  # fmt: skip
def test_no_working_hours(bad: str) -> None:
    with pytest.raises(ValueError, match="must be days and hours"):
        working_hours(bad)


@pytest.mark.parametrize(
    "bad",
    ["com", "10.0.0.1", "a b.example", "bücher.example", "a..example", "-a.example", "a.example\nx", f"{'a' * 64}.b"],
)
def test_no_domains(bad: str) -> None:
    with pytest.raises(ValueError, match="must be domains"):
        domains(bad)


def test_there_is_an_end() -> None:
    with pytest.raises(ValueError, match="100 at most"):
        extensions(",".join(f"e{number}" for number in range(MOST + 1)))


PIECES = st.sampled_from(
    ["exe", "M 08:00-18:00", "a.example", ",", " ", "\n", "\r", "\x0b", "\x85", '"', "#", "\\", "$"]
)


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_nothing_else_gets_through_and_what_does_stays(text: str) -> None:
    for form in FORMS:
        try:
            kept = form(text)
        except ValueError:
            continue
        assert HARMLESS.fullmatch(kept)
        assert form(kept) == kept


def test_defaults_are_in_their_form() -> None:
    for declared in SETTINGS:
        assert declared.parse(declared.default) == declared.default
