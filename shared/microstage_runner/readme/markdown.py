"""Tables in Markdown: read from a page, and written with the figures of two origins beside each other."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

from microstage.errors import ArtefactError

__all__ = ["Cells", "beside", "differing", "read"]

Cells = Mapping[str, Mapping[str, str]]
"{row: {column: cell}}"
_SAME = "the same"


def read(text: str, columns: Sequence[str]) -> Cells:
    """Return the first table of a page whose header has all of `columns`; emphasis is left out.

    "the same" is what stands to the left of it.
    """
    lines = [_split(line) for line in text.splitlines()]
    for number, head in enumerate(lines):
        if head and set(columns) <= set(head):
            rows = [_filled(row) for row in itertools.takewhile(bool, lines[number + 2 :])]
            return {row[0]: dict(zip(head[1:], row[1:])) for row in rows}
    raise ArtefactError(f"README.md has no table with the columns {', '.join(columns)}.")


def _filled(row: Sequence[str]) -> list[str]:
    filled: list[str] = []
    for cell in row:
        filled.append(filled[-1] if cell == _SAME else cell)
    return filled


def _split(line: str) -> list[str]:
    """Return the cells of a line of a table; none of any other line."""
    return [cell.strip().strip("*") for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []


def differing(measured: Cells, there: Cells, tolerance: float) -> list[str]:
    """Return a sentence for each cell that is not as README has it, numbers further apart than a share of README's."""
    return [
        f"{row}, {column}: {cell}, README has {known}"
        for row, cells in measured.items()
        for column, cell in cells.items()
        if (known := there.get(row, {}).get(column, "")) and not _same(cell, known, tolerance)
    ]


def _same(cell: str, known: str, tolerance: float) -> bool:
    numbers = [[float(n) for n in re.findall(r"\d*\.?\d+", text.replace(",", ""))] for text in (cell, known)]
    near = (abs(own - other) <= tolerance * abs(other) for own, other in zip(*numbers))
    return len(numbers[0]) == len(numbers[1]) and all(near) and (bool(numbers[0]) or cell == known)


def beside(measured: Cells, there: Cells) -> str:
    """Return the table in Markdown: what was measured, and README's figure in brackets."""
    head = ["", *dict.fromkeys(column for cells in measured.values() for column in cells)]
    rows = [
        [row, *(_both(cells.get(name, ""), there.get(row, {}).get(name, "")) for name in head[1:])]
        for row, cells in measured.items()
    ]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def _both(cell: str, known: str) -> str:
    return f"{cell} ({known})" if known else cell
