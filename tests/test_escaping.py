"""Whatever comes from outside is one harmless line in the log."""

from __future__ import annotations

import io
import logging

from hypothesis import given
from hypothesis import strategies as st

from proxyweb.escaping import one_line
from proxyweb.program_log import OneLine


@given(st.text(max_size=300))
def test_one_printable_line(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line.splitlines()) <= 1


@given(st.text(max_size=50), st.text(max_size=50))
def test_different_texts_stay_different(text: str, other: str) -> None:
    assert (one_line(text) == one_line(other)) == (text == other)


def test_what_is_escaped() -> None:
    assert one_line("a\r\nb\x1b[0m\x9b\0\u202ec\u2028\\") == r"a\r\nb\x1b[0m\x9b\x00\u202ec\u2028" + "\\\\"
    assert one_line("x" * 300, 10) == "x" * 9 + "…"


def test_a_log_entry_is_one_line_and_a_traceback_is_marked() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine("%(levelname)s %(message)s"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    logger.warning("from %s", "eve\nCRITICAL all is lost\x1b[2J")
    try:
        raise ValueError("eve\nCRITICAL all is lost")
    except ValueError:
        logger.exception("failed")
    lines = stream.getvalue().splitlines()
    assert lines[0] == r"WARNING from eve\nCRITICAL all is lost\x1b[2J"
    assert lines[1] == "ERROR failed"
    assert all(line.startswith("  | ") for line in lines[2:])
