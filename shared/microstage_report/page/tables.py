"""Tables of a page: columns with titles, cells with text; a column of numbers may have a bar in each cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from microstage_report.page.digits import is_number, number

__all__ = ["Cell", "TableColumn", "Table", "table"]

_MOST_ROWS = 400  # of one table; a page is for reading


@dataclass(frozen=True)
class TableColumn:
    """`bars`: each cell has a bar of its share of `whole`, or without it of the largest in the column."""

    key: str
    title: str
    bars: bool = False
    whole: float = 0


@dataclass(frozen=True)
class Cell:
    """`share` is in 0..1, or None where no bar is drawn."""

    text: str
    numeric: bool = False
    share: float | None = None
    order: Any = ""


@dataclass(frozen=True)
class Table:
    caption: str
    columns: Sequence[TableColumn]
    rows: Sequence[Sequence[Cell]]
    numeric: Sequence[bool]
    marked: Sequence[str]
    left_out: int = 0


def table(
    caption: str, columns: Iterable[TableColumn], rows: Iterable[Mapping[str, Any]], marked: Sequence[str] = ()
) -> Table:
    """Return the table of `rows`, one mapping each; `marked` says in words what is special about a row, or "".

    A column that no row fills is left out, and so are rows beyond what a reader takes in; the page says how many.
    """
    rows = list(rows)
    shown, columns = rows[:_MOST_ROWS], [c for c in columns if any(row.get(c.key) not in (None, "") for row in rows)]
    largest = {c.key: max((abs(row[c.key]) for row in rows if is_number(row.get(c.key))), default=0) for c in columns}
    return Table(
        caption,
        columns,
        [[_cell(row.get(column.key), column, largest[column.key]) for column in columns] for row in shown],
        [any(is_number(row.get(column.key)) for row in rows) for column in columns],
        [*marked[: len(shown)], *[""] * (len(shown) - len(marked))],
        len(rows) - len(shown),
    )


def _cell(value: Any, column: TableColumn, largest: float) -> Cell:
    whole = column.whole or largest
    share = min(1.0, abs(value) / whole) if column.bars and is_number(value) and whole else None
    return Cell(number(value), is_number(value), share, value if is_number(value) else "")
