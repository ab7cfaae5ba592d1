"""What the C needs: flash, RAM, time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microstage_report.page.tables import TableColumn, table

__all__ = ["code"]

_COLUMNS = (TableColumn("what", "what"), TableColumn("value", "value"), TableColumn("unit", "unit"))


def code(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return tiles (the rows as they are) and their table."""
    rows = facts["code"]["rows"]
    return {"tiles": rows, "tables": [table("Flash, RAM, latency", _COLUMNS, rows)]}
