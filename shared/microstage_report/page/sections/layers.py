"""The table of layers; the slowest is marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microstage_report.page.tables import TableColumn, table

__all__ = ["layers"]

_BARS = ("macs", "cycles", "lut", "flash")


def layers(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table with a row a layer, in the columns that the facts name."""
    rows = facts["layers"]["rows"]
    named = [column for column in facts["layers"]["columns"] if column["key"] not in ("name", "bottleneck")]
    columns = [TableColumn("name", "layer"), *(_column(column) for column in named)]
    marked = ["bottleneck" if row.get("bottleneck") else "" for row in rows]
    return {"tables": [table("A row is a layer; a bar is a share of the largest in its column", columns, rows, marked)]}


def _column(column: Mapping[str, Any]) -> TableColumn:
    title = f"{column['title']} / {column['unit']}" if column.get("unit") else column["title"]
    return TableColumn(column["key"], title, bars=column["key"] in _BARS)
