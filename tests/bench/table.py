"""Aligned tables for the terminal."""

from collections.abc import Sequence

LEFT_COLUMNS = 1


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows under their head: the first column to the left, figures to the right; a row may end early."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines if column < len(line)) for column in range(len(head))]
    return "\n".join(_laid_out(line, widths) for line in lines)


def _laid_out(line: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.ljust(width) if column < LEFT_COLUMNS or column >= len(widths) - 1 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=False))
    ]
    return "  ".join(cells).rstrip()
