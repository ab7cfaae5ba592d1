"""Functions of an accumulator, element by element: what becomes of a chain of operators from integers to integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer.interpreter import run_node
from microstage.integer.lines import Line, fit_line
from microstage.integer.ranges import Range
from microstage.integer.registry import named
from microstage.integer.tensor import narrowed, real
from microstage_streamline.finn.annotate_datatypes import datatype_of
from microstage_streamline.graph.graph import GraphInput, Node
from microstage_streamline.graph.straight import bends
from microstage_streamline.integerise.steps import first_reached
from microstage_streamline.integerise.thresholds import chain_function, search

if TYPE_CHECKING:
    from microstage_streamline.integerise.integer_graph import Integers

__all__ = [
    "ChannelThresholds",
    "Function",
    "ChannelLines",
    "axis_of",
    "differs_by_place",
    "entry_range",
    "evaluated",
    "found_of",
    "layout_of",
    "straight_line",
    "thresholds",
    "together",
]

_LAYOUTS = {2: ("NC",), 3: ("NCW", "NWC"), 4: ("NCHW", "NHWC"), 5: ("NCDHW", "NDHWC")}
_MOST_LEVELS, _MOST_THRESHOLDS, _MOST_SEARCHED = 1 << 16, 1 << 22, 1 << 25
_MANY = 1 << 12  # levels that are searched some at a time
_FLOAT32 = 1 << 24  # the largest threshold that FINN's containers hold
_ANY = 1e30  # beyond what any quantiser resolves


@dataclass(frozen=True)
class Function:
    """`nodes`, in an order in which they can be run, each element by element of the integers `start` (None: of the
    graph's real input), which the cleaned graph calls `of`, and of constants; `by_place`: of a row, each value of which
    has constants of its own.
    """

    start: Integers | None
    nodes: list[Node]
    example: Any
    of: str = ""
    by_place: bool = False

    def source(self, constants: Mapping[str, Any]) -> str:
        """The tensor that the first node reads."""
        return next(name for name in self.nodes[0].inputs if name and name not in constants)

    def line(self, constants: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """(step, start) of a straight line of real values of `shape`: step * x + start, of each value; a step is a
        product alone.
        """
        start = real(_run(self, constants, np.zeros(shape)))
        step = np.ones(shape)
        for node in self.nodes:
            step = _slope(node, constants, step)
        return np.broadcast_to(step, start.shape), start

    def may_turn(self, constants: Mapping[str, Any]) -> bool:
        """Whether it is not known to rise, or fall, all along: from its operators alone."""
        return any(_joins(node, constants) or _may_turn(node, constants) for node in self.nodes)

    def is_straight(self, constants: Mapping[str, Any]) -> bool:
        """Whether it is value * a + b for constants a and b, from its operators alone."""
        return not any(bends(node, constants) for node in self.nodes)


@dataclass(frozen=True)
class ChannelThresholds:
    """`table` [channels or 1, levels - 1] and `low` as in `thresholds.Thresholds`; `flipped` where the function falls;
    channels lie along `axis`."""

    table: np.ndarray
    low: int
    flipped: np.ndarray
    axis: int
    datatype: str
    layout: str

    def over(self, rank: int) -> np.ndarray:
        """`flipped`, shaped to be broadcast to a tensor of `rank`."""
        return self.flipped.reshape([self.flipped.size if axis == self.axis else 1 for axis in range(rank)])


@dataclass(frozen=True)
class ChannelLines:
    """A staircase of more or larger thresholds than FINN-ONNX holds, as one line for each channel along `axis`, held to
    low..high; `rest`: a second one that is added, of what bends at 0.
    """

    line: Line
    low: int
    high: int
    axis: int
    rest: ChannelLines | None = None


def _joins(node: Node, constants: Mapping[str, Any]) -> bool:
    """Whether a node reads more than one tensor that is computed, or one twice."""
    return sum(bool(name) and name not in constants for name in node.inputs) > 1


def _may_turn(node: Node, constants: Mapping[str, Any]) -> bool:
    """Whether an operator may turn round with the constants that it has here: c / x does where x may be 0."""
    fixed = [constants[name] for name in node.inputs if name in constants]
    return named(node.op).may_turn(node.flags, fixed) or node.op == "Div" and node.inputs[0] in constants


def together(sources: Sequence[Any]) -> bool:
    """Whether functions have one start, so that what is computed of all of them is a function of that."""
    first = sources[0]
    if not all(type(source) is type(first) for source in sources):
        return False
    if not isinstance(first, Function):
        return all((source.a.name, source.b.name) == (first.a.name, first.b.name) for source in sources)
    return all(
        (source.start and source.start.name) == (first.start and first.start.name) and source.of == first.of
        for source in sources
    )


def _slope(node: Node, constants: Mapping[str, Any], step: np.ndarray) -> np.ndarray:
    """What becomes of the slope `step` of a line behind one more operator, which is a line: offsets do not enter."""
    source = next(name for name in node.inputs if name and name not in constants)
    if node.op in ("Add", "Sub"):
        other = next(constants[name] for name in node.inputs if name != source)
        sign = -1 if node.op == "Sub" and node.inputs[0] != source else 1
        return sign * step + np.zeros(np.shape(getattr(other, "ints", other)))
    if node.op == "BatchNormalization":
        zeros = {name: np.zeros_like(constants[name]) for name in node.inputs[2:4]}
        return real(run_node(node.proto(), {**constants, **zeros, source: step})[node.output])
    return real(run_node(node.proto(), {**constants, source: step})[node.output])


def thresholds(function: Function, constants: Mapping[str, Any]) -> ChannelThresholds | ChannelLines:
    """The MultiThreshold that `function` is, or its line where FINN-ONNX cannot hold that; `ModelError` where it is
    none, or too large.
    """
    evaluate, low, high, axis = evaluated(function, constants)
    ends = evaluate(np.stack([low, high]))
    levels = int(ends.max() - ends.min())
    if levels > _MOST_LEVELS or levels * len(low) > _MOST_SEARCHED:
        raise ModelError(f"would need {levels} thresholds in each of {len(low)} channels; quantise to fewer bits")
    many, few = (
        levels > _MANY and max(np.abs(low).max(), np.abs(high).max()) > _FLOAT32,
        levels * len(low) <= _MOST_THRESHOLDS,
    )
    found = search(evaluate, low, high) if few and not many else None
    if found is None or np.abs(found.table).max() > _FLOAT32:
        lined = _lined(evaluate, found, low, high, axis)
        if lined:
            return lined
        found = found or (search(evaluate, low, high) if few else None)
    if found is None:
        raise ModelError(
            f"would need {levels} thresholds in each of {len(low)} channels, which are no line; quantise to fewer bits"
        )
    return found_of(found.table, found.low, found.flipped, axis, function.start.range.low.ndim)


def found_of(table: np.ndarray, low: int, flipped: np.ndarray, axis: int, rank: int) -> ChannelThresholds:
    """One row where all channels have the same thresholds."""
    table = table[:1] if np.array_equal(table, np.broadcast_to(table[:1], table.shape)) else table
    return ChannelThresholds(
        table, low, flipped, axis, datatype_of(low, low + table.shape[1]).name, layout_of(axis, rank)
    )


def evaluated(
    function: Function, constants: Mapping[str, Any]
) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray, np.ndarray, int]:
    """(levels of accumulators [k, channels], the least and the greatest accumulator of each channel, the axis of
    channels).
    """
    start, scale = function.start, getattr(function.start.example, "scale", None)
    rank, source = start.range.low.ndim, function.source(constants)
    if rank < 2:
        raise ModelError(f"reads {start.name}, which has no batch; keep its first axis")
    axis = axis_of(function, rank, constants)
    others = tuple(a for a in range(rank) if a != axis)
    low, high = start.range.low.min(axis=others), start.range.high.max(axis=others)
    if axis is None:
        axis, low, high = 1, low.reshape(1), high.reshape(1)
    return (
        chain_function([node.proto() for node in function.nodes], source, _scale(scale), constants, rank, axis),
        low,
        high,
        axis,
    )


def _lined(evaluate, found: Any, low: np.ndarray, high: np.ndarray, axis: int) -> ChannelLines | None:
    """The lines of a staircase, of those that fall with negative multipliers; None where it is none, or where FINN-ONNX
    holds its thresholds. `found`: these, if they are.
    """
    ends = evaluate(np.stack([low, high]))
    sign, bottom, top = np.where(ends[1] < ends[0], -1, 1), int(ends.min()), int(ends.max())
    first, last = np.where(sign < 0, -high, low), np.where(sign < 0, -low, high)
    table = (
        found.table
        if found
        else first_reached(lambda x: evaluate(x * sign), np.arange(bottom + 1, top + 1), first, last)
    )
    held = table.size <= _MOST_THRESHOLDS and np.abs(table).max() <= _FLOAT32
    if held:
        return None
    whole = _line_of(table, bottom, first, last, sign, axis)
    if whole or not bottom < 0 < top or top - bottom <= _MANY:
        return whole
    below, above = (
        _line_of(table[:, :-bottom], bottom, first, last, sign, axis),
        _line_of(table[:, -bottom:], 0, first, last, sign, axis),
    )
    return below and above and replace(above, rest=below)


def _line_of(
    table: np.ndarray, bottom: int, low: np.ndarray, high: np.ndarray, sign: np.ndarray, axis: int
) -> ChannelLines | None:
    """The line from level `bottom` on, of which `table` has the thresholds."""
    line = fit_line(table, bottom, low, high)
    return line and ChannelLines(
        replace(line, multiplier=line.multiplier * sign), bottom, bottom + table.shape[1], axis
    )


def _scale(scale: Any) -> Any:
    if scale is None:
        return None
    scale = narrowed(np.asarray(scale, np.float64))
    return scale if scale.size > 1 else scale.reshape(())


def layout_of(axis: int | None, rank: int) -> str:
    """What qonnx calls a tensor of `rank` whose channels lie along `axis`."""
    if axis not in (None, 1, rank - 1) or rank not in _LAYOUTS:
        raise ModelError(f"differs along axis {axis} of {rank}; expected channels first or last")
    return _LAYOUTS[rank][0 if axis in (None, 1) else -1]


def differs_by_place(function: Function, constants: Mapping[str, Any]) -> bool:
    """Whether it differs along more than the one axis that thresholds can tell apart."""
    rank = function.start.range.low.ndim
    axes = _axes(function, rank, constants, True)
    return not function.by_place and rank > 1 and 0 not in axes and not axes <= {1} and not axes <= {rank - 1}


def axis_of(function: Function, rank: int, constants: Mapping[str, Any], scaled: bool = True) -> int | None:
    """The one axis along which the function, or (if `scaled`) the scale that it starts from, differs; None where all is
    the same.
    """
    axes = {1} if function.by_place else _axes(function, rank, constants, scaled)
    if len(axes) > 1 or 0 in axes:
        raise ModelError(f"differs along axes {sorted(axes)} of {rank}; one axis of channels can be told apart")
    return next(iter(axes), None)


def _axes(function: Function, rank: int, constants: Mapping[str, Any], scaled: bool) -> set[int]:
    axes = set() if not scaled else _varied(narrowed(np.asarray(getattr(function.start.example, "scale", 1.0))), rank)
    for node in function.nodes:
        for name in node.inputs:
            if name in constants and np.size(getattr(constants[name], "ints", constants[name])) > 1:
                axes |= _along(node, constants[name], rank)
    return axes


def _along(node: Node, value: Any, rank: int) -> set[int]:
    """The axes along which one constant input of a node differs."""
    return named(node.op).axes(node.flags, np.shape(getattr(value, "ints", value)), rank)


def _varied(value: Any, rank: int) -> set[int]:
    shape = np.shape(getattr(value, "ints", value))
    return {rank - len(shape) + place for place, size in enumerate(shape) if size > 1}


def entry_range(function: Function, inputs: Mapping[str, GraphInput], constants: Mapping[str, Any]) -> Range:
    """The integers that a real input can become, from the ends of the number line."""
    source = function.source(constants)
    ends = [_run(function, constants, np.full(inputs[source].shape, end)) for end in (-_ANY, _ANY)]
    ints = [np.asarray(getattr(end, "ints", end)).astype(np.int64) for end in ends]
    return Range(np.minimum(*ints), np.maximum(*ints))


def straight_line(function: Function, constants: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """(scale, offset), each broadcastable to the tensor: value = scale * integer + offset."""
    scale = getattr(function.start.example, "scale", 1.0)
    step, start = function.line(constants, function.start.range.low.shape)
    return step * np.asarray(scale, np.float64), start


def _run(function: Function, constants: Mapping[str, Any], value: Any) -> Any:
    values = {**constants, function.source(constants): value}
    for node in function.nodes:
        values.update(run_node(node.proto(), values))
    return values[function.nodes[-1].output]
