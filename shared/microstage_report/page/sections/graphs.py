"""Graphs before and after streamlining: what the page's own program lays out and draws, and the same as a table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from microstage_report.page.tables import TableColumn, table

__all__ = ["graphs", "width_of"]

_WIDTHS = ((2, "up to 2 bit"), (4, "3 and 4 bit"), (8, "5 to 8 bit"), (16, "9 to 16 bit"), (10**9, "wider integers"))
_REAL, _UNKNOWN = "real numbers", "not said"
_NAMED = {"bipolar": 1, "binary": 1, "bool": 1, "ternary": 2}
_ORDER = [name for _, name in _WIDTHS] + [_REAL, _UNKNOWN]
_COLUMNS = (
    TableColumn("number", "node"),
    TableColumn("type", "operator"),
    TableColumn("label", "what it does"),
    TableColumn("datatype", "datatype"),
    TableColumn("shape", "shape"),
    TableColumn("to", "goes to"),
)


def graphs(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return each graph with its legend: classes of width, the datatypes in each, and how many nodes have them."""
    return {"graphs": [_graph(graph) for graph in facts["graphs"]]}


def width_of(datatype: Any) -> str:
    """Return the class of width of a datatype, as QONNX or ONNX spells it."""
    text = str(datatype or "").lower()
    found = re.fullmatch(r"u?int(\d+)|fixed<(\d+),.*", text)
    bits = _NAMED.get(text) or (int(found[1] or found[2]) if found else 0)
    if bits:
        return next(name for most, name in _WIDTHS if bits <= most)
    return _REAL if re.match(r"b?float|double|real|scaledint", text) else _UNKNOWN


def _graph(graph: Mapping[str, Any]) -> dict[str, Any]:
    nodes = [{**node, "width": _ORDER.index(width_of(node.get("datatype")))} for node in graph["nodes"]]
    return {
        "title": graph["title"],
        "drawn": {"nodes": [_drawn(node) for node in nodes], "edges": graph["edges"]},
        "summary": f"{len(nodes)} nodes, {len(graph['edges'])} edges.",
        "legend": _legend(nodes),
        "table": _table(graph, nodes),
    }


def _drawn(node: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": node["id"],
        "label": str(node.get("label") or node["type"]),
        "below": " · ".join(text for text in (str(node.get("datatype") or ""), _shape(node)) if text),
        "told": f"{node['type']} {node.get('label') or ''}, {node.get('datatype') or _UNKNOWN}, {_shape(node)}",
        "width": node["width"],
    }


def _legend(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    counted = Counter((node["width"], str(node.get("datatype") or "")) for node in nodes)
    return [
        {
            "width": width,
            "name": _ORDER[width],
            "datatypes": ", ".join(sorted({kind for of, kind in counted if of == width and kind})[:6]),
            "nodes": sum(count for (of, _), count in counted.items() if of == width),
        }
        for width in sorted({of for of, _ in counted})
    ]


def _table(graph: Mapping[str, Any], nodes: list[dict[str, Any]]):
    places = {node["id"]: index for index, node in enumerate(nodes, 1)}
    follow: dict[int, list[str]] = {}
    for start, end in graph["edges"]:
        follow.setdefault(places[start], []).append(str(places[end]))
    rows = [
        {**node, "number": str(at), "shape": _shape(node), "to": ", ".join(follow.get(at, []))}
        for at, node in enumerate(nodes, 1)
    ]
    return table(f"Nodes {graph['title']}", _COLUMNS, rows)


def _shape(node: Mapping[str, Any]) -> str:
    return "×".join(str(extent) for extent in node.get("shape") or [])
