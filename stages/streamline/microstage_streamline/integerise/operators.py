"""Operators that mean the same on integers as on the values that they stand for: node of the cleaned graph -> states of its outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microstage.integer import QTensor
from microstage_streamline.integerise.rescaled_sum import Joined
from microstage_streamline.graph.normalise import is_quantised
from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.integerise import Cannot, Integeriser, Integers, exact_scale

__all__ = ["EXACT"]

EXACT: dict[str, Callable[[Integeriser, Node], list[Any]]] = {}


def _exact(*operators: str):
    def register(function):
        EXACT.update(dict.fromkeys(operators, function))
        return function

    return register


def _one_scale(x: Integers, name: str) -> None:
    """A sum over channels needs one scale for all of them."""
    scale = exact_scale(x.example)
    if scale.size > 1 and np.ptp(scale):
        raise Cannot(f"sums or compares values of {name}, whose channels have different scales; quantise it with one scale")


@_exact("Conv", "MatMul")
def _product(made: Integeriser, node: Node) -> list[Integers]:
    x = made.integers(node.inputs[0])
    _one_scale(x, node.inputs[0])
    weight = made.stored(node.inputs[1], node)
    if not is_quantised(made.values[node.output]):
        raise Cannot(f"multiplies {node.inputs[0]} by {node.inputs[1]}, which are not both integers at a scale")
    return [made.emit(Node(node.op, [x.name, weight], node.outputs, node.flags, node.layer), made.values[node.output], x)]


@_exact("Add", "Sub")
def _sum(made: Integeriser, node: Node) -> list[Integers | Joined]:
    a, b = (made.integers(name) for name in node.inputs)
    if not is_quantised(made.values[node.output]):
        for term, name in ((a, node.inputs[0]), (b, node.inputs[1])):
            _one_scale(term, name)
        if node.op == "Sub" or a.range.low.shape != b.range.low.shape or not all(isinstance(t.example, QTensor) for t in (a, b)):
            raise Cannot(f"adds {' and '.join(node.inputs)}, whose scales differ; quantise both with one scale")
        return [Joined(a, b, [node], made.values[node.output])]
    if node.op == "Sub":
        minus = f"{node.output}.minus"
        made.made.constants[f"{minus}.sign"] = np.full((1,) * b.range.low.ndim, -1)
        b = made.emit(Node("Mul", [b.name, f"{minus}.sign"], [minus], {}, node.layer), None, b)
    return [made.emit(Node("Add", [a.name, b.name], node.outputs, {}, node.layer), made.values[node.output], a, b)]


@_exact("Mul")
def _element_product(made: Integeriser, node: Node) -> list[Integers]:
    a, b = (made.integers(name) for name in node.inputs)
    if not is_quantised(made.values[node.output]):
        raise Cannot(f"multiplies {' and '.join(node.inputs)}, which are not both integers at a scale")
    return [made.emit(Node("Mul", [a.name, b.name], node.outputs, {}, node.layer), made.values[node.output], a, b)]


@_exact("Concat")
def _joined(made: Integeriser, node: Node) -> list[Integers]:
    if any(name in made.constants for name in node.inputs):
        raise Cannot("joins a constant")
    terms = [made.integers(name) for name in node.inputs]
    if not is_quantised(made.values[node.output]):
        raise Cannot(f"joins {' and '.join(node.inputs)}, which are not all integers at a scale")
    return [made.emit(Node("Concat", [t.name for t in terms], node.outputs, node.flags, node.layer), made.values[node.output], *terms)]


@_exact("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Split", "Slice", "MaxPool", "Identity")
def _moved(made: Integeriser, node: Node) -> list[Integers]:
    x = made.integers(node.inputs[0])
    for name in filter(None, node.inputs[1:]):
        if name not in made.constants:
            raise Cannot(f"reads {name}, which is computed")
        made.made.constants[name] = np.asarray(made.constants[name], np.int64)
    if any(np.size(getattr(made.values[name], "ints", made.values[name])) == 0 for name in node.outputs):
        raise Cannot("has an output without values")
    new = Node(node.op, [x.name, *node.inputs[1:]], node.outputs, node.flags, node.layer)
    return made.emit_all(new, [made.values[name] for name in node.outputs], x)


@_exact("AveragePool", "GlobalAveragePool")
def _average(made: Integeriser, node: Node) -> list[Integers]:
    """An average is a sum at another scale, and a sum is a convolution of each channel with ones."""
    x = made.integers(node.inputs[0])
    _one_scale(x, node.inputs[0])
    channels, *size = x.range.low.shape[1:]
    kernel, ones = list(node.flags.get("kernel_shape", size)), f"{node.output}.ones"
    made.made.constants[ones] = np.ones((channels, 1, *kernel), np.int64)
    flags = {key: node.flags[key] for key in ("strides", "pads", "dilations") if key in node.flags}
    new = Node("Conv", [x.name, ones], node.outputs, {**flags, "group": channels, "kernel_shape": kernel}, node.layer)
    return [made.emit(new, made.values[node.output], x)]


@_exact("ArgMax")
def _arg_max(made: Integeriser, node: Node) -> list[Integers]:
    """The place of the largest integer is that of the largest value, at one scale; the lowest place on a tie."""
    x = made.integers(node.inputs[0])
    _one_scale(x, node.inputs[0])
    if node.flags.get("select_last_index", 0):
        raise Cannot("takes the last of equal values; expected the first")
    return [made.emit(Node("ArgMax", [x.name], node.outputs, node.flags, node.layer), made.values[node.output], x)]
