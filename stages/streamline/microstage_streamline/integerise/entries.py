"""Find what integers that enter are of the file's own real input: value = scale * (integer - zero_point) + offset."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from microstage.integer import QTensor
from microstage.integer.ranges import Range
from microstage.integer.registry import named
from microstage.integer.tensor import narrowed
from microstage_streamline.graph.graph import GraphInput, Node
from microstage_streamline.graph.straight import bends
from microstage_streamline.integerise.functions import InputFunction, line_of
from microstage_streamline.integerise.integer_graph import InputEncoding
from microstage_streamline.integerise.integers import NotInteger, exact_scale
from microstage_streamline.integerise.threshold_line import threshold_line
from microstage_streamline.normalise.input_type import CLAMPS
from microstage_streamline.read.known_operators import QUANTISING

__all__ = ["NoEncoding", "entry_of"]

_QUANTISING = (*QUANTISING, "QuantLevels")
_HALF_EVEN = ("ROUND", "HALF_EVEN")


class NoEncoding(NotInteger):
    """The integers are of no real input: `node` stands in the way."""

    def __init__(self, reason: str, node: Node) -> None:
        super().__init__(reason)
        self.node = node


def entry_of(
    function: InputFunction, constants: Mapping[str, Any], inputs: Mapping[str, GraphInput], range_: Range
) -> InputEncoding:
    """Return it for a straight line a x + b, held within ends or not, and its quantiser: x = quantised / a - b / a.

    `NoEncoding` names the first node that is in the way, where anything else stands in front of the quantiser, or where
    the integers hold x in a range that differs from value to value.
    """
    before = list(itertools.takewhile(lambda node: node.op not in _QUANTISING, function.nodes))
    for node in before:
        if bends(node, constants) and node.op not in CLAMPS:
            raise NoEncoding(f"{node.op} is no straight line", node)
    given = inputs[function.source(constants)]
    entered = _as_quantised(function.nodes[len(before) :], function, constants)
    lines = [node for node in before if node.op not in CLAMPS]
    if not lines:
        return _held(replace(entered, precision=np.dtype(given.real).name), function, range_)
    step, start = line_of(lines, constants, given.shape)
    if np.any(step == 0):
        raise NoEncoding("a value is multiplied by 0", lines[-1])
    if entered.thresholds is not None and np.any(step < 0):
        raise NoEncoding("thresholds follow, which values that fall reach from above", lines[-1])
    reached = None if entered.thresholds is None else (entered.thresholds - start[..., None]) / step[..., None]
    scale, offset = narrowed(entered.scale / step), narrowed((entered.offset - start) / step)
    return _held(replace(entered, scale=scale, offset=offset, thresholds=reached), function, range_)


def _held(entered: InputEncoding, function: InputFunction, range_: Range) -> InputEncoding:
    """Return `entered`; `NoEncoding` where the range differs from value to value."""
    if np.ptp(range_.low) or np.ptp(range_.high):
        raise NoEncoding("the ends of the range differ from value to value", function.nodes[-1])
    return entered


def _as_quantised(nodes: list[Node], function: InputFunction, constants: Mapping[str, Any]) -> InputEncoding:
    """Return what integers are of the value that their quantiser, the first of `nodes`, reads."""
    first, example, rank = nodes[0], function.example, len(function.example.shape)
    if first.op == "QuantizeLinear":
        scale, zero_point = (_along(first, value, rank) for value in _parameters(first, constants))
        return _raw(scale, zero_point) if not isinstance(example, QTensor) else InputEncoding(scale)
    if first.op in ("BipolarQuant", "Quant"):
        rounding = "SIGN" if first.op == "BipolarQuant" else _rounding(first, constants)
        return InputEncoding(np.asarray(constants[first.inputs[1]], np.float64), rounding=rounding)
    if first.op == "QuantLevels":
        scale, zero_point = (np.asarray(constants[name], np.float64) for name in first.inputs[1:3])
        return InputEncoding(scale, 0, -scale * zero_point, _rounding(first, constants))
    return _behind_thresholds(first, example, np.asarray(constants[first.inputs[1]], np.float64))


def _behind_thresholds(node: Node, example: Any, thresholds: np.ndarray) -> InputEncoding:
    """Return what the levels of thresholds stand for, whatever scale the levels have behind them."""
    low, step = int(node.flags["out_bias"]), int(node.flags["out_scale"])
    table = _by_channel(node, thresholds, len(example.shape))
    if (low, step, thresholds.shape[1]) == (-1, 2, 1):
        return InputEncoding(exact_scale(example), 0, narrowed(table[..., 0]), rounding="SIGN")
    found = threshold_line(thresholds, low, step, float(exact_scale(example).flat[0]))
    scale, offset = (narrowed(line.reshape(table.shape[:-1])) for line in found)
    return InputEncoding(scale, 0, offset, thresholds=np.sort(table))


def _rounding(node: Node, constants: Mapping[str, Any]) -> str:
    """Return how qonnx's quantiser rounds."""
    if node.flags["signed"] and int(np.max(constants[node.inputs[3]])) == 1:
        return "SIGN"
    mode = node.flags.get("rounding_mode", "ROUND")
    mode = (mode.decode() if isinstance(mode, bytes) else mode).upper()
    return "ROUND" if mode in _HALF_EVEN else mode


def _by_channel(node: Node, thresholds: np.ndarray, rank: int) -> np.ndarray:
    """Return thresholds [..., levels - 1], to be broadcast to a tensor of `rank` with one more axis."""
    channels = named(node.op).axes(node.flags, thresholds.shape, rank)
    return thresholds.reshape([*(thresholds.shape[0] if axis in channels else 1 for axis in range(rank)), -1])


def _parameters(node: Node, constants: Mapping[str, Any]) -> list[np.ndarray]:
    """Return scale and zero point of QuantizeLinear."""
    return [np.asarray(constants[name]) if name else np.int64(0) for name in [*node.inputs[1:], ""][:2]]


def _along(node: Node, value: np.ndarray, rank: int) -> np.ndarray:
    """Shape one number for all, or one for each place of the node's axis, to be broadcast to a tensor of `rank`."""
    value = np.asarray(value, np.float64)
    if value.size == 1:
        return value.reshape(())
    return value.reshape([-1 if axis == node.flags.get("axis", 1) % rank else 1 for axis in range(rank)])


def _raw(scale: np.ndarray, zero_point: np.ndarray) -> InputEncoding:
    """Return what integers are that QuantizeLinear leaves as they are."""
    if zero_point.size == 1:
        return InputEncoding(scale, int(zero_point))
    return InputEncoding(scale, 0, -scale * zero_point)
