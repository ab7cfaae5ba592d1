"""What integers that enter are of the file's own real input."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from microstage.integer import QTensor
from microstage.integer.tensor import narrowed
from microstage_streamline.graph.graph import Entry, Node
from microstage_streamline.graph.read import QUANTISING
from microstage_streamline.integerise.made import Entered, exact_scale
from microstage_streamline.integerise.monotone import Function
from microstage_streamline.integerise.threshold_line import threshold_line

__all__ = ["entry_of"]


def entry_of(function: Function, constants: Mapping[str, Any], inputs: Mapping[str, Entry]) -> Entered:
    """Where a straight line a x + b stands before the quantiser, x = quantised / a - b / a; else what is quantised itself."""
    before = list(itertools.takewhile(lambda node: node.op not in QUANTISING, function.nodes))
    entered = _as_quantised(function.nodes[len(before) :], function.example, constants)
    line = Function(None, before, None)
    if not before or not line.is_straight(constants):
        return entered
    step, start = line.at(constants, inputs)
    if np.any(step == 0):
        return entered
    return Entered(narrowed(entered.scale / step), entered.zero_point, narrowed((entered.offset - start) / step))


def _as_quantised(nodes: list[Node], example: Any, constants: Mapping[str, Any]) -> Entered:
    """Scale and zero point of integers that a quantiser leaves as they are; with a scale of their own, zero points are off."""
    if nodes and nodes[0].op == "MultiThreshold":
        return _behind_thresholds(nodes[0], example, constants)
    if isinstance(example, QTensor) or not nodes or nodes[0].op != "QuantizeLinear":
        return Entered(exact_scale(example))
    stored = [np.asarray(constants[name]) if name else np.int64(0) for name in [*nodes[0].inputs[1:], ""][:2]]
    return Entered(stored[0].astype(np.float64), int(stored[1].reshape(-1)[0]))


def _behind_thresholds(node: Node, example: Any, constants: Mapping[str, Any]) -> Entered:
    """Thresholds say themselves what their levels stand for, whatever scale the levels have behind them."""
    scale, rank = exact_scale(example), len(example.shape)
    low, step = int(node.flags["out_bias"]), int(node.flags["out_scale"])
    found = threshold_line(constants[node.inputs[1]], low, step, float(scale.flat[0]))
    axis = rank - 1 if node.flags["data_layout"] in (b"NHWC", b"NWC") else 1
    shape = [-1 if place == axis else 1 for place in range(rank)]
    return Entered(narrowed(found[0].reshape(shape)), 0, narrowed(found[1].reshape(shape)))
