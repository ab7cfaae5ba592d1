"""Several runs beside each other: what differs, what came of it, and which no other run beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair

from microstage_report.page.digits import is_number, number, rounded
from microstage_report.page.figures import SERIES, Figure, chart, figure, series
from microstage_report.page.tables import Table, TableColumn, table

__all__ = ["comparison"]

Run = Mapping[str, Any]
_PLACES = ["on the front", "beaten by another"]


def comparison(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of runs, parallel coordinates, the front of Pareto, and the error of each layer in each run."""
    found = facts["comparison"]
    runs, listed = found["runs"], _listed(found)
    figures = [_parallel(runs, listed)] if len(runs) > 1 and _axes(runs) else []
    if found.get("pareto") and _points(runs, found["pareto"]):
        figures.append(_pareto(runs, found["pareto"], listed))
    if found.get("layers"):
        figures.append(_layers(found["layers"]))
    return {"tables": [listed], "figures": figures}


def _listed(found: Mapping[str, Any]) -> Table:
    runs, front = found["runs"], set((found.get("pareto") or {}).get("front", []))
    names = {kind: [*dict.fromkeys(name for run in runs for name in run[kind])] for kind in ("parameters", "figures")}
    columns = [TableColumn("id", "run")]
    columns += [TableColumn(f"{kind}.{name}", name) for kind, of in names.items() for name in of]
    rows = [
        {"id": run["id"], **{f"{kind}.{name}": value for kind in names for name, value in run[kind].items()}}
        for run in runs
    ]
    return table(
        "Runs: what differs, and what came of it", columns, rows, ["front" if r["id"] in front else "" for r in runs]
    )


def _axes(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Return {axis: the value of each run}: every parameter and figure that differs among the runs."""
    axes = {
        name: [run[kind].get(name) for run in runs]
        for kind in ("parameters", "figures")
        for name in dict.fromkeys(name for run in runs for name in run[kind])
    }
    return {name: values for name, values in axes.items() if len({str(value) for value in values}) > 1}


def _heights(values: Sequence[Any]) -> list[float | None]:
    """Return where on its axis each value lies, in 0..1; values that are no numbers lie in the order they came."""
    if not all(is_number(value) or value is None for value in values):
        order = [*dict.fromkeys(map(str, values))]
        return [order.index(str(value)) / max(len(order) - 1, 1) for value in values]
    known = [value for value in values if value is not None]
    low, span = min(known), (max(known) - min(known)) or 1
    return [None if value is None else rounded((value - low) / span) for value in values]


def _parallel(runs: Sequence[Run], listed: Table) -> Figure:
    axes = _axes(runs)
    rows = [
        {"axis": name, "height": height, "text": number(value), "series": run["id"]}
        for name, values in axes.items()
        for run, value, height in zip(runs, values, _heights(values))
        if height is not None
    ]
    base = chart(rows, 320).encode(
        altair.X("axis:N", sort=[*axes], title=None, axis=altair.Axis(labelAngle=-30, labelLimit=120, grid=True)),
        altair.Y("height:Q", title=None, axis=altair.Axis(labels=False, ticks=False, grid=False, domain=False)),
    )
    picture = base.mark_line(strokeWidth=2, point=True).encode(detail="series:N", **series([run["id"] for run in runs]))
    picture += base.mark_text(dy=-9, fontSize=11, color="var(--ink)").encode(altair.Text("text:N"))
    summary = (
        f"A line is a run, an axis what differs: {', '.join(axes)}. Each axis goes from its lowest to its highest."
    )
    return figure("Parallel coordinates", summary, picture, listed)


def _points(runs: Sequence[Run], asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the runs of which both figures are known."""
    values = {run["id"]: {**run["parameters"], **run["figures"]} for run in runs}
    return [
        {"x": of[asked["x"]], "y": of[asked["y"]], "series": _PLACES[name not in asked["front"]], "run": name}
        for name, of in values.items()
        if is_number(of.get(asked["x"])) and is_number(of.get(asked["y"]))
    ]


def _pareto(runs: Sequence[Run], asked: Mapping[str, Any], listed: Table) -> Figure:
    x, y, front = asked["x"], asked["y"], [*asked["front"]]
    rows = _points(runs, asked)
    base = chart(rows, 320).encode(
        altair.X("x:Q", title=x, scale=altair.Scale(zero=False, padding=24)),
        altair.Y("y:Q", title=y, scale=altair.Scale(zero=False, padding=24)),
    )
    best = altair.FieldOneOfPredicate(field="series", oneOf=[_PLACES[0]])
    line = base.transform_filter(best).mark_line(interpolate="step-after", color=SERIES[0], strokeDash=[4, 3])
    points = base.mark_point(size=90, filled=True, opacity=1).encode(
        altair.Shape("series:N", sort=None).scale(domain=_PLACES, range=["diamond", "circle"]),
        altair.Color("series:N", sort=None).scale(domain=_PLACES, range=[SERIES[0], "var(--soft)"]),
    )
    called = base.mark_text(dy=-13, fontSize=11, color="var(--ink)").encode(altair.Text("run:N"))
    summary = f"{number(len(front))} of {number(len(runs))} runs are beaten by no other in both: {', '.join(front)}."
    return figure(f"{y} against {x}", summary, line + points + called, listed)


def _layers(rows: list[dict[str, Any]]) -> Figure:
    """Return the error of each layer, a line a run. `rows` are {layer, run, sqnr_db}."""
    order, names = ([*dict.fromkeys(str(row[key]) for row in rows)] for key in ("layer", "run"))
    points = [{"layer": str(r["layer"]), "value": rounded(r["sqnr_db"]), "series": str(r["run"])} for r in rows]
    picture = (
        chart(points, 280)
        .mark_line(point=True)
        .encode(
            altair.X("layer:N", sort=order, title="layer", axis=altair.Axis(labelAngle=-45, labelLimit=110)),
            altair.Y("value:Q", title="signal to quantisation noise / dB"),
            **series(names),
        )
    )
    columns = [TableColumn("layer", "layer"), *(TableColumn(name, f"{name} / dB") for name in names)]
    listed = {name: {"layer": name} for name in order}
    for row in rows:
        listed[str(row["layer"])][str(row["run"])] = row["sqnr_db"]
    summary = "Higher is nearer to the same layer in floats."
    return figure("Error of each layer", summary, picture, table("Error of each layer", columns, listed.values()))
