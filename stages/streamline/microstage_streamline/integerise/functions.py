"""Represent functions element by element: of integers that the new graph computes, or of a real input."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from microstage.integer.interpreter import run_node
from microstage.integer.ranges import Range
from microstage.integer.registry import named
from microstage.integer.tensor import real
from microstage_streamline.graph.graph import GraphInput, Node
from microstage_streamline.graph.straight import bends
from microstage_streamline.integerise.integers import Integers

__all__ = ["Function", "InputFunction", "entry_range", "line_of", "straight_line"]

_ANY = 1e30  # beyond what any quantiser resolves


class _Elementwise:
    """What both kinds of functions share: `nodes` in an order in which they can be run, and the `example` they give."""

    nodes: list[Node]
    example: Any

    def source(self, constants: Mapping[str, Any]) -> str:
        """Return the tensor that the first node reads."""
        return _source(self.nodes, constants)

    def may_turn(self, constants: Mapping[str, Any]) -> bool:
        """Tell from the operators alone whether it may rise here and fall there."""
        return any(_joins(node, constants) or _may_turn(node, constants) for node in self.nodes)

    def is_straight(self, constants: Mapping[str, Any]) -> bool:
        """Tell from the operators alone whether it is value * a + b for constants a and b."""
        return not any(bends(node, constants) for node in self.nodes)


@dataclass(frozen=True)
class Function(_Elementwise):
    """Each element of `nodes` follows from one of the integers `start`, which the cleaned graph calls `of`.

    `by_place`: of a row, each value of which has constants of its own.
    """

    start: Integers
    nodes: list[Node]
    example: Any
    of: str = ""
    by_place: bool = False

    @property
    def origin(self) -> Hashable:
        """What functions have in common that are all functions of one tensor."""
        return self.start.name, self.of


@dataclass(frozen=True)
class InputFunction(_Elementwise):
    """Each element of `nodes` follows from one of the real input `of` of the graph."""

    of: str
    nodes: list[Node]
    example: Any

    @property
    def origin(self) -> Hashable:
        """What functions have in common that are all functions of one tensor."""
        return self.of


def _source(nodes: Sequence[Node], constants: Mapping[str, Any]) -> str:
    return next(name for name in nodes[0].inputs if name and name not in constants)


def _joins(node: Node, constants: Mapping[str, Any]) -> bool:
    """Tell whether a node reads more than one tensor that is computed, or one twice."""
    return sum(bool(name) and name not in constants for name in node.inputs) > 1


def _may_turn(node: Node, constants: Mapping[str, Any]) -> bool:
    """Tell whether an operator may turn round with the constants that it has here: c / x does where x may be 0."""
    fixed = [constants[name] for name in node.inputs if name in constants]
    return named(node.op).may_turn(node.flags, fixed) or node.op == "Div" and node.inputs[0] in constants


def straight_line(function: Function, constants: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return (scale, offset), each broadcastable to the tensor: value = scale * integer + offset."""
    scale = getattr(function.start.example, "scale", 1.0)
    step, start = line_of(function.nodes, constants, function.start.range.low.shape)
    return step * np.asarray(scale, np.float64), start


def line_of(
    nodes: Sequence[Node], constants: Mapping[str, Any], shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return (step, start) for each value of `shape`: the nodes give step * x + start of real x.

    Precondition: none of them bends. A step is a product alone, so that no offset rounds it.
    """
    start = real(_run(nodes, constants, np.zeros(shape)))
    step = np.ones(shape)
    for node in nodes:
        step = _slope(node, constants, step)
    return np.broadcast_to(step, start.shape), start


def _slope(node: Node, constants: Mapping[str, Any], step: np.ndarray) -> np.ndarray:
    """Return what the slope `step` of a line is behind one more straight operator: offsets do not enter."""
    source = next(name for name in node.inputs if name and name not in constants)
    if node.op in ("Add", "Sub"):
        other = next(constants[name] for name in node.inputs if name != source)
        sign = -1 if node.op == "Sub" and node.inputs[0] != source else 1
        return sign * step + np.zeros(np.shape(getattr(other, "ints", other)))
    if node.op == "BatchNormalization":
        zeros = {name: np.zeros_like(constants[name]) for name in node.inputs[2:4]}
        return real(run_node(node.proto(), {**constants, **zeros, source: step})[node.output])
    return real(run_node(node.proto(), {**constants, source: step})[node.output])


def entry_range(function: InputFunction, inputs: Mapping[str, GraphInput], constants: Mapping[str, Any]) -> Range:
    """Return the integers that a real input can become, from the ends of the number line."""
    source = function.source(constants)
    ends = [_run(function.nodes, constants, np.full(inputs[source].shape, end)) for end in (-_ANY, _ANY)]
    ints = [np.asarray(getattr(end, "ints", end)).astype(np.int64) for end in ends]
    return Range(np.minimum(*ints), np.maximum(*ints))


def _run(nodes: Sequence[Node], constants: Mapping[str, Any], value: Any) -> Any:
    values = {**constants, _source(nodes, constants): value}
    for node in nodes:
        values.update(run_node(node.proto(), values))
    return values[nodes[-1].output]
