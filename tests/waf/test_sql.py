"""Words of tokens: what a database would make of a text, in each context."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyweb.waf import shell, sql


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 or 1=1", ["-1&1=1"]),
        ("1/**/oR/*x*/1=1", ["-1&1=1"]),
        ("x' or 'a'='a", ["-nsnsn", "'&s=s"]),
        ("7 union all select a,b,c from t", ["-1USn,nMn"]),
        ("1,2,3,4,5", ["-1,1"]),
        ("1 /*!50000union*/ select 2", ["-1US1"]),
        ("sleep(5)", ["-F(1)"]),
        ("sys.fn_x.sleep(5)", ["-F(1)"]),
        ("sleep well", ["-nn"]),
        ("count(*)", ["-f(*)"]),
        ("drop table t", ["-Don"]),
        ("a table", ["-nn"]),
        ("@@version", ["-v"]),
        ("0x41424344", ["-1"]),
        ("a -- b", ["-nc"]),
        ("a--b", ["-n+n"]),
        ("", ["-"]),
    ],
)
def test_form(text: str, words: list[str]) -> None:
    assert sql.form(text) == words


@given(st.text() | st.text("'\"/*-#;()=,1aor "))
def test_any_text_has_words(text: str) -> None:
    assert all(len(word) <= sql.MOST_TOKENS + 1 for word in sql.form(text))
    assert shell.form(text)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("c'a't /x", "cat /x"),
        ("c\\at /x", "cat /x"),
        ("cat$IFS/x", "cat /x"),
        ("cat${IFS}$9/x", "cat /x"),
        ("{cat,/x}", " cat /x"),
        ("w^h^o^a^m^i", "whoami"),
        ("id\\n", "id\n"),
    ],
)
def test_shell(text: str, bare: str) -> None:
    assert shell.form(text) == [bare]
