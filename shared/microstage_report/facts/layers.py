"""A row per layer of the integer graphs: type, range, error, work, and what it costs on an FPGA and in flash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from microstage_report.facts.datatypes import range_of
from microstage_report.facts.onnx_graph import OnnxGraph, OnnxNode
from microstage_report.facts.run import PublishedRun

__all__ = ["Layer", "layers", "layers_of"]

_MOVES = {"Im2Col", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Concat", "Slice", "Split"}
_PRODUCTS = {"MatMul", "XnorPopcountMatMul", "Conv"}
_COLUMNS = (
    ("type", "type", ""),
    ("datatype", "gives", ""),
    ("weights", "weights", ""),
    ("range", "range", ""),
    ("sqnr_db", "signal over error against float", "dB"),
    ("macs", "multiply-accumulates", ""),
    ("cycles", "cycles", ""),
    ("lut", "LUT", ""),
    ("flash", "flash", "bytes"),
)


@dataclass(frozen=True)
class Layer:
    """One layer: the operator that computes, and the thresholds right behind it, if any.

    `windows` gathers what a convolution multiplies, where nothing else reads that.
    """

    graph: OnnxGraph
    nodes: tuple[OnnxNode, ...]
    windows: OnnxNode | None = None

    @property
    def name(self) -> str:
        """The tensor that the layer gives."""
        return self.nodes[-1].outputs[0]

    @property
    def weights(self) -> str:
        """The constant that it multiplies by; "" where there is none."""
        first = self.nodes[0]
        held = [name for name in first.inputs if self.graph.values(name) is not None]
        return held[0] if first.operator in _PRODUCTS and held else ""

    @property
    def macs(self) -> int:
        """Products that are summed for one input; of a sparse product, which stands for a depthwise one, its own."""
        values = self.graph.values(self.weights) if self.weights else None
        if values is None:
            return 0
        given = prod(self.graph.shapes.get(self.nodes[0].outputs[0], []))
        if self.nodes[0].operator == "Conv":
            return given * prod(values.shape[1:])
        kernel = self.graph.sparse_kernel(self.weights)
        return given * (prod(kernel) if kernel else values.shape[0])

    @property
    def tensors(self) -> set[str]:
        """What its operators give."""
        parts = [*self.nodes, *([self.windows] if self.windows else [])]
        return {name for node in parts for name in node.outputs}


def layers(run: PublishedRun) -> dict[str, Any] | None:
    """Return the table of layers with the columns that something is known of; None before there are integers."""
    found = [(part, layer) for part, path in run.graphs.items() for layer in layers_of(OnnxGraph(path))]
    errors, costs = _errors(run), _costs(run)
    rows = [_row(layer, errors, costs) for _, layer in found]
    slowest = max((row.get("cycles", 0) for row in rows), default=0)
    for row in rows:
        if slowest and row.get("cycles") == slowest:
            row["bottleneck"] = True
    columns = [
        {"key": key, "title": title, "unit": unit} for key, title, unit in _COLUMNS if any(key in r for r in rows)
    ]
    return {"columns": columns, "rows": rows} if rows else None


def layers_of(graph: OnnxGraph) -> Iterator[Layer]:
    """Yield what computes: each operator that is no move, with the thresholds that it alone is read by."""
    taken: set[OnnxNode] = set()
    for node in graph.nodes:
        if node.operator in _MOVES or node in taken:
            continue
        behind = graph.readers(node.outputs[0])
        joined = [node]
        if len(behind) == 1 and behind[0].operator == "MultiThreshold" and node.outputs[0] not in graph.outputs:
            joined.append(behind[0])
        taken |= {*joined}
        before = graph.maker(node.inputs[0])
        gathers = before is not None and before.operator == "Im2Col" and len(graph.readers(node.inputs[0])) == 1
        yield Layer(graph, tuple(joined), before if gathers else None)


def _row(layer: Layer, errors: dict[str, float], costs: dict[str, dict[str, int]]) -> dict[str, Any]:
    datatype = layer.graph.datatype(layer.name)
    row: dict[str, Any] = {"name": layer.name, "type": layer.nodes[0].operator, "datatype": datatype}
    if layer.weights:
        row |= {"weights": layer.graph.datatype(layer.weights), "macs": layer.macs}
    if ends := range_of(datatype):
        row["range"] = f"[{ends[0]}, {ends[1]}]"
    known = [errors[name] for name in _names(layer) if name in errors]
    if known:
        row["sqnr_db"] = known[-1]
    for kind, of_tensor in costs.items():
        found = [of_tensor[tensor] for tensor in layer.tensors if tensor in of_tensor]
        if found:
            row[kind] = max(found) if kind == "cycles" else sum(found)
    return row


def _names(layer: Layer) -> list[str]:
    """Return what a table of errors may call the layer: its own name, and that of each tensor that it gives."""
    product = layer.nodes[0].outputs[0].removesuffix(".accumulator")
    return [_spelled(product), _spelled(layer.name)]


def _spelled(name: str) -> str:
    """Return a name as ONNX files spell it, which have _ for the dots of a module's path."""
    return re.sub(r"\W", "_", name)


def _errors(run: PublishedRun) -> dict[str, float]:
    """Return {layer: signal over the error that it makes by itself, in dB}, of `make explain`."""
    found = run.explanation.get("layers", [])
    return {
        _spelled(layer["layer"].partition(", ")[0].rpartition(" -> ")[2]): layer["by_itself_db"]
        for layer in found
        if layer["by_itself_db"] is not None
    }


def _costs(run: PublishedRun) -> dict[str, dict[str, int]]:
    """Return {"cycles", "lut", "flash"}: {tensor: what giving it costs}, as far as FINN and the C backend say."""
    estimates = run.stage("streamline")
    counted = [
        layer
        for part in (estimates.json("estimates.json").get("parts", {}) if estimates else {}).values()
        for layer in part.get("layers", [])
    ]
    code = run.stage("cbackend")
    stored = [layer for part in (code.json("layers.json") if code else {}).values() for layer in part]
    return {
        "cycles": {layer["gives"]: layer["cycles"] for layer in counted},
        "lut": {layer["gives"]: layer["LUT"] for layer in counted},
        "flash": {layer["gives"]: layer["bytes"] for layer in stored},
    }
