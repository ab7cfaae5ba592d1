"""Weights and activations of each layer, as small histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from microstage_report.page.digits import number
from microstage_report.page.tables import TableColumn, table

__all__ = ["distributions"]

_COLUMNS = (
    TableColumn("layer", "layer"),
    TableColumn("what", "of"),
    TableColumn("low", "from"),
    TableColumn("high", "to"),
    TableColumn("count", "values"),
    TableColumn("often", "most often"),
    TableColumn("counts", "counts, from left to right"),
)
_WIDE, _HIGH = 100, 40  # the units of a histogram's own drawing


def distributions(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return for each layer its histograms: an SVG path, what it shows in words, and the ends of its axis."""
    layers: dict[str, list[dict[str, Any]]] = {}
    for found in facts["distributions"]:
        if found.get("counts"):
            layers.setdefault(str(found["layer"]), []).append(_histogram(found))
    rows = [{**row, "layer": layer} for layer, parts in layers.items() for row in parts]
    return {"layers": layers, "tables": [table("Histograms in numbers", _COLUMNS, rows)]}


def _histogram(found: Mapping[str, Any]) -> dict[str, Any]:
    edges, counts = found["edges"], found["counts"]
    top = max(range(len(counts)), key=lambda i: counts[i])
    often = f"{number(edges[top])} to {number(edges[top + 1])}"
    return {
        "what": found["what"],
        "path": _path(edges, counts),
        "low": number(edges[0]),
        "high": number(edges[-1]),
        "count": sum(counts),
        "often": often,
        "counts": " ".join(map(str, counts)),
        "told": f"{found['what']}: {number(sum(counts))} values from {number(edges[0])} to {number(edges[-1])}, "
        f"most often {often}",
    }


def _path(edges: Sequence[float], counts: Sequence[int]) -> str:
    """Return the outline of a histogram, _WIDE by _HIGH units."""
    across, up = _WIDE / ((edges[-1] - edges[0]) or 1), _HIGH / (max(counts) or 1)
    steps = [f"V{_HIGH - count * up:.1f}H{(edge - edges[0]) * across:.1f}" for count, edge in zip(counts, edges[1:])]
    return f"M0 {_HIGH}{''.join(steps)}V{_HIGH}Z"
