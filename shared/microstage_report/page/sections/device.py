"""What the network takes of an FPGA: figures, and a bar for each resource of the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microstage_report.page.tables import TableColumn, table

__all__ = ["device"]

_COLUMNS = (
    TableColumn("resource", "resource"),
    TableColumn("taken", "taken"),
    TableColumn("there", "on the device"),
    TableColumn("share", "% of the device", bars=True, whole=100),
)


def device(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return tiles, the table of resources, and the sentence that says by how much the network does not fit."""
    said = facts["device"]
    caption = f"{said['device']}, {said['how']}"
    return {"tiles": said["tiles"], "misfit": said["misfit"], "table": table(caption, _COLUMNS, said["rows"])}
