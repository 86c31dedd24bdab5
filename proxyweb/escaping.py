"""Text from outside as one harmless line, for the program's log, the audit log and the terminal."""

from __future__ import annotations

LIMIT = 200


def one_line(text: str, limit: int = LIMIT) -> str:
    r"""`text` cut to `limit` characters and made `printable`.

    A backslash is doubled first, so that what is escaped can't be confused with what was sent that way.
    """
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return printable(shown.replace("\\", "\\\\"))


def printable(text: str) -> str:
    """`text` with everything unprintable escaped: line ends, ESC, NUL, bidi controls, what is not assigned."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
