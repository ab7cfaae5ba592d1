"""Write a staircase as nodes: a MultiThreshold, or multiply-add-shift where FINN-ONNX cannot hold thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.emitter import Emitter
from microstage_streamline.integerise.functions import Function
from microstage_streamline.integerise.integers import Integers
from microstage_streamline.integerise.rescaled_sum import RescaledSum
from microstage_streamline.integerise.staircases import ChannelLines, ChannelThresholds

__all__ = ["emit_lines", "emit_thresholds"]


def emit_thresholds(
    emitter: Emitter, name: str, found: ChannelThresholds, start: Integers, function: Function | RescaledSum
) -> Integers:
    """Append the thresholds of `function` over the integers `start`, as tensor `name`."""
    flags = {
        "out_dtype": found.datatype,
        "out_scale": 1.0,
        "out_bias": float(found.low),
        "data_layout": found.layout,
    }
    table = _stored_table(emitter, name, found.table, function.nodes)
    node = Node("MultiThreshold", [start.name, table], [name], flags, function.nodes[-1].layer)
    return _shared_as(function, emitter, emitter.emit(node, function.example, start))


def _stored_table(emitter: Emitter, name: str, table: np.ndarray, nodes: Sequence[Node]) -> str:
    """Store the thresholds of tensor `name`, under the name that the file has for them if it has one."""
    given = nodes[0].inputs[1] if nodes[0].op == "MultiThreshold" else ""
    stored = emitter.origin.get(given, given)
    taken = stored in emitter.integer_graph.constants or not stored
    return emitter.store(f"{name}.thresholds" if taken else stored, table)


def emit_lines(
    emitter: Emitter, name: str, found: ChannelLines, start: Integers, function: Function | RescaledSum
) -> Integers:
    """Append one multiplication, addition and shift; the sum of two such of a function that bends."""
    layer = function.nodes[-1].layer
    if found.rest is None:
        return _shared_as(function, emitter, _emit_line(emitter, name, found, start, layer, function.example))
    below = _emit_line(emitter, f"{name}.below", found.rest, start, layer, None)
    above = _emit_line(emitter, f"{name}.above", found, start, layer, None)
    total = Node("Add", [below.name, above.name], [name], {}, layer)
    return _shared_as(function, emitter, emitter.emit(total, function.example, below, above))


def _emit_line(emitter: Emitter, name: str, found: ChannelLines, start: Integers, layer: str, example: Any) -> Integers:
    line, flags = found.line, {"low": found.low, "high": found.high, "axis": found.axis}
    flags |= {key: value for key, value in (("ties", line.ties), ("lift", line.lift)) if value}
    constants = {"multiplier": line.multiplier, "addend": line.addend, "shift": np.array([line.shift])}
    stored = [emitter.keep(f"{name}.{what}", value) for what, value in constants.items()]
    return emitter.emit(Node("Requantize", [start.name, *stored], [name], flags, layer), example, start)


def _shared_as(function: Function | RescaledSum, emitter: Emitter, integers: Integers) -> Integers:
    """Mark integers as shared where the last tensor of `function`, at another scale, is read by several nodes."""
    return replace(integers, shared=integers.shared or emitter.is_shared(function.nodes[-1].output))
