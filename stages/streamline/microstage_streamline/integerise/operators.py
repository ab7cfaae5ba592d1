"""Handle operators of each kind, which mean the same on integers: a cleaned node -> the states of its outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from microstage.integer import QTensor
from microstage.integer.registry import Kind
from microstage_streamline.graph.graph import Node, is_quantised
from microstage_streamline.integerise.channels import is_depthwise
from microstage_streamline.integerise.functions import Function
from microstage_streamline.integerise.integers import Integers, NotInteger, exact_scale
from microstage_streamline.integerise.rescaled_sum import RescaledSum
from microstage_streamline.integerise.resolver import Resolver, State

__all__ = ["HANDLERS"]


def _one_scale(x: Integers, name: str) -> None:
    """Assert that all channels have one scale, as a sum over them needs it."""
    scale = exact_scale(x.example)
    if scale.size > 1 and np.ptp(scale):
        raise NotInteger(
            f"sums or compares values of {name}, whose channels have different scales; quantise it with one scale"
        )


def _product(resolver: Resolver, node: Node) -> list[Integers]:
    """Append a product of integers: (s x) (t W) = (s t) (x W)."""
    x = resolver.integers(node.inputs[0])
    if not is_depthwise(node, {node.inputs[0]: x.range}):
        _one_scale(x, node.inputs[0])
    weight = resolver.weights(node.inputs[1], node)
    if not is_quantised(resolver.values[node.output]):
        raise NotInteger(f"multiplies {node.inputs[0]} by {node.inputs[1]}, which are not both integers at a scale")
    return [
        resolver.emit(
            Node(node.op, [x.name, weight], node.outputs, node.flags, node.layer), resolver.values[node.output], x
        )
    ]


def _terms(resolver: Resolver, node: Node) -> tuple[list[str], list[Integers]]:
    """Return the operands of the new node, and those of them that are computed."""
    names: list[str] = []
    computed: list[Integers] = []
    for name in node.inputs:
        if name in resolver.constants:
            value = resolver.constants[name]
            names.append(resolver.keep(name, np.asarray(getattr(value, "ints", value), np.int64)))
        else:
            computed.append(resolver.integers(name))
            names.append(computed[-1].name)
    return names, computed


def _sum(resolver: Resolver, node: Node) -> Sequence[Integers | RescaledSum]:
    """Append a sum at one scale, s a + s b = s (a + b); at two scales, leave it to the quantiser behind it."""
    names, computed = _terms(resolver, node)
    if node.op not in ("Add", "Sub") or not is_quantised(resolver.values[node.output]):
        for term, name in zip(computed, node.inputs):
            _one_scale(term, name)
        if len(computed) < 2 or not all(isinstance(t.example, QTensor) for t in computed):
            raise NotInteger(f"adds {' and '.join(node.inputs)}, whose scales differ; quantise both with one scale")
        return [RescaledSum(computed[0], computed[1], [node], resolver.values[node.output])]
    if node.op == "Sub":
        rank, minus = len(resolver.values[node.output].shape), f"{node.output}.minus"
        sign = resolver.store(f"{minus}.sign", np.full((1,) * rank, -1))
        if node.inputs[1] not in resolver.constants:
            negated = Node("Mul", [names[1], sign], [minus], {}, node.layer)
            computed[-1] = resolver.emit(negated, None, computed[-1])
        else:
            resolver.store(minus, -resolver.integer_graph.constants[names[1]])
        names[1] = minus
    return [resolver.emit(Node("Add", names, node.outputs, {}, node.layer), resolver.values[node.output], *computed)]


def _element_product(resolver: Resolver, node: Node) -> list[Integers]:
    """Append a product element by element: (s a) (t b) = (s t) (a b)."""
    names, computed = _terms(resolver, node)
    if not is_quantised(resolver.values[node.output]):
        raise NotInteger(f"multiplies {' and '.join(node.inputs)}, which are not both integers at a scale")
    return [resolver.emit(Node(node.op, names, node.outputs, {}, node.layer), resolver.values[node.output], *computed)]


def _moved(resolver: Resolver, node: Node) -> list[Integers]:
    """Append a move of one tensor or of several, move(s x) = s move(x); sizes and axes are constants."""
    terms: list[Integers] = []
    inputs: list[str] = []
    for name in node.inputs:
        if name and name not in resolver.constants:
            terms.append(resolver.integers(name))
            inputs.append(terms[-1].name)
        else:
            inputs.append(_moved_constant(resolver, node, name) if name else name)
    examples = [resolver.values[name] for name in node.outputs]
    if any(np.size(getattr(example, "ints", example)) == 0 for example in examples):
        raise NotInteger("has an output without values")
    if not all(is_quantised(example) for example in examples):
        raise NotInteger(f"joins {' and '.join(node.inputs)}, which are not all integers at a scale")
    return resolver.emit_all(Node(node.op, inputs, node.outputs, node.flags, node.layer), examples, *terms)


def _moved_constant(resolver: Resolver, node: Node, name: str) -> str:
    """Store a constant that is moved along, or that says how."""
    value = resolver.constants[name]
    if node.op == "Gather" and name == node.inputs[0] or not is_quantised(value):
        raise NotInteger(f"reads the constant {name}, which is no integers at a scale, beside what is computed")
    return resolver.store(name, np.asarray(getattr(value, "ints", value), np.int64))


def _extreme(resolver: Resolver, node: Node) -> list[Integers]:
    """Append the least, or the greatest, of two tensors at one scale."""
    if node.op not in ("Min", "Max"):
        raise NotInteger(f"{node.op} has no form in integers")
    if not is_quantised(resolver.values[node.output]):
        raise NotInteger(f"compares {' and '.join(node.inputs)}, whose scales differ; quantise both with one scale")
    names, computed = _terms(resolver, node)
    return [resolver.emit(Node(node.op, names, node.outputs, {}, node.layer), resolver.values[node.output], *computed)]


def _average(resolver: Resolver, node: Node) -> list[Integers]:
    """Append an average: a sum at another scale, which is a convolution of each channel with ones."""
    x = resolver.integers(node.inputs[0])
    if not is_quantised(resolver.values[node.output]):
        _one_scale(x, node.inputs[0])
        raise NotInteger(f"averages {node.inputs[0]}, which is no integers at a scale")
    channels, *size = x.range.low.shape[1:]
    kernel = list(node.flags.get("kernel_shape", size))
    ones = resolver.store(f"{node.output}.ones", np.ones((channels, 1, *kernel), np.int64))
    flags: dict[str, Any] = {key: node.flags[key] for key in ("strides", "pads", "dilations") if key in node.flags}
    new = Node("Conv", [x.name, ones], node.outputs, {**flags, "group": channels, "kernel_shape": kernel}, node.layer)
    return [resolver.emit(new, resolver.values[node.output], x)]


def _order(resolver: Resolver, node: Node) -> Sequence[Integers | Function]:
    """Append an operator that finds the places of the largest of a x + b, the lowest place first among equals.

    They are those of x for a > 0, and of -x for a < 0.
    """
    x, line, turned = resolver.in_order(node.inputs[0])
    _one_scale(x, node.inputs[0])
    for name in node.inputs[1:]:
        resolver.store(name, np.asarray(resolver.constants[name], np.int64))
    examples, outputs = [resolver.values[name] for name in node.outputs], list(node.outputs)
    if line is None or len(outputs) == 1:
        return _emit_order(resolver, node, x, outputs, examples)
    values_too = resolver.reads.get(outputs[0], 0) > 0
    if values_too and turned:
        raise NotInteger(
            "answers with the largest of values that are not in the order of their integers; expected"
            " their places alone"
        )
    examples[0] = QTensor(np.zeros(examples[0].shape, np.int64), exact_scale(x.example))
    outputs[0] = f"{outputs[0]}.integers"
    found = _emit_order(resolver, node, x, outputs, examples)
    return [Function(found[0], line.nodes, resolver.values[node.outputs[0]]), *found[1:]] if values_too else found


def _emit_order(resolver: Resolver, node: Node, x: Integers, outputs: list[str], examples: list[Any]) -> list[Integers]:
    return resolver.emit_all(Node(node.op, [x.name, *node.inputs[1:]], outputs, node.flags, node.layer), examples, x)


def _fixed(resolver: Resolver, node: Node) -> list[Integers]:
    """Append an operator with a rule of its own, integers of integers; its other inputs are constants."""
    x = resolver.integers(node.inputs[0])
    for name in node.inputs[1:]:
        resolver.store(name, np.asarray(resolver.constants[name], np.int64))
    new = Node(node.op, [x.name, *node.inputs[1:]], node.outputs, node.flags, node.layer)
    return resolver.emit_all(new, [resolver.values[name] for name in node.outputs], x)


HANDLERS: dict[Kind, Callable[[Resolver, Node], Sequence[State]]] = {
    Kind.PRODUCT: _product,
    Kind.SUM: _sum,
    Kind.ELEMENT_PRODUCT: _element_product,
    Kind.MOVES: _moved,
    Kind.MONOTONE: _extreme,
    Kind.AVERAGE: _average,
    Kind.ORDER: _order,
    Kind.FIXED: _fixed,
}
"What handles operators, by their kind."
