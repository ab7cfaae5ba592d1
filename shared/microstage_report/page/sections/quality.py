"""How good the network is: beside baselines, and over its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair

from microstage_report.page.digits import is_number, number, rounded
from microstage_report.page.figures import SERIES, Figure, chart, figure, series
from microstage_report.page.tables import TableColumn, table

__all__ = ["accuracy", "learning"]


def accuracy(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a picture for each figure: the network's own bar stands out, in words too. What stands alone is a tile."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in facts["accuracy"]["rows"]:
        found.setdefault((str(row.get("figure") or ""), str(row.get("unit") or "")), []).append(row)
    alone = [row for rows in found.values() if len(rows) == 1 for row in rows]
    return {"figures": [_bars(*key, rows) for key, rows in found.items() if len(rows) > 1], "tiles": alone}


def _bars(name: str, unit: str, rows: Sequence[Mapping[str, Any]]) -> Figure:
    title = f"{name} / {unit}" if unit else name
    bars = [
        {
            "what": _called(row),
            "value": rounded(row["value"]),
            "text": number(row["value"]),
            "ours": bool(row.get("ours")),
        }
        for row in rows
        if is_number(row.get("value"))
    ]
    largest = max((bar["value"] for bar in bars), default=0) or 1
    base = chart(bars, 30 * len(bars)).encode(
        altair.X("value:Q", title=title, scale=altair.Scale(nice=False, domainMax=largest * 1.12)),
        altair.Y("what:N", sort=None, title=None, axis=altair.Axis(labelLimit=180, labelColor="var(--ink)")),
    )
    colours = altair.condition("datum.ours", altair.value(SERIES[0]), altair.value("var(--plain)"))
    picture = base.mark_bar(height={"band": 0.7}).encode(color=colours)
    picture += base.mark_text(align="left", dx=5, color="var(--ink)").encode(altair.Text("text:N"))
    ours = ", ".join(dict.fromkeys(f"{number(row.get('value'))} {unit}".strip() for row in rows if row.get("ours")))
    columns = [TableColumn("what", "what"), TableColumn("value", title)]
    marked = ["this network" if row.get("ours") else "" for row in rows]
    return figure(name, f"This network: {ours}." if ours else "", picture, table(name, columns, rows, marked))


def _called(row: Mapping[str, Any]) -> str:
    return f"▸ {row.get('what')}" if row.get("ours") else str(row.get("what"))


def learning(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a picture for each phase: `float: train` and `float: validation` share one."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in facts["learning"]["rows"]:
        if is_number(row.get("value")):
            found.setdefault(str(row["figure"]).partition(": ")[0], []).append(row)
    return {"figures": [_curve(phase, rows) for phase, rows in found.items()]}


def _curve(phase: str, rows: Sequence[Mapping[str, Any]]) -> Figure:
    names = [*dict.fromkeys(str(row["figure"]) for row in rows)]
    points = [{"epoch": row["epoch"], "value": rounded(row["value"]), "series": str(row["figure"])} for row in rows]
    picture = (
        chart(points)
        .mark_line(point=len(points) < 60)
        .encode(
            altair.X("epoch:Q", title="epoch", axis=altair.Axis(tickMinStep=1)),
            altair.Y("value:Q", title=None, scale=altair.Scale(zero=False)),
            **series(names),
        )
    )
    columns = [TableColumn("epoch", "epoch"), TableColumn("figure", "figure"), TableColumn("value", "value")]
    summary = f"{', '.join(names)} over {number(max(row['epoch'] for row in rows))} epochs."
    return figure(phase, summary, picture, table(phase, columns, rows))
