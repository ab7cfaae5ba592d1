"""What each layer loses against floats, as `make explain` measured it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair

from microstage_report.page.digits import number, rounded
from microstage_report.page.figures import chart, figure, series
from microstage_report.page.tables import TableColumn, table

__all__ = ["errors"]

_LINES = {"by_itself_db": "by itself", "so_far_db": "so far"}


def errors(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a picture over the layers, in the order of the network: each by itself, and the network up to it."""
    rows = facts["errors"]["rows"]
    points = [
        {"layer": str(row["layer"]), "value": rounded(row.get(key)), "series": name}
        for row in rows
        for key, name in _LINES.items()
        if row.get(key) is not None
    ]
    order = [*dict.fromkeys(point["layer"] for point in points)]
    picture = (
        chart(points, 260)
        .mark_line(point=True)
        .encode(
            altair.X("layer:N", sort=order, title=None, axis=altair.Axis(labelAngle=-45, labelLimit=130)),
            altair.Y("value:Q", title="signal to error / dB"),
            **series([*_LINES.values()]),
        )
    )
    columns = [TableColumn("layer", "layer"), *(TableColumn(key, f"{name} / dB") for key, name in _LINES.items())]
    columns.append(TableColumn("share", "share of the sample's error"))
    known = [row for row in rows if row.get("by_itself_db") is not None]
    summary = "Higher is nearer to floats."
    if known:
        worst = min(known, key=lambda row: row["by_itself_db"])
        summary += f" By itself, {worst['layer']} errs most: {number(worst['by_itself_db'])} dB."
    return {"figures": [figure("Integers beside floats", summary, picture, table("Error", columns, rows))]}
