"""What becomes of operators of each kind, node of the cleaned graph -> states of its outputs: they mean the same on
integers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from microstage.integer import QTensor
from microstage.integer.registry import Kind
from microstage_streamline.graph.graph import Node, is_quantised
from microstage_streamline.integerise.channels import is_depthwise
from microstage_streamline.integerise.integer_graph import Integers, NotInteger, exact_scale
from microstage_streamline.integerise.monotone import Function
from microstage_streamline.integerise.rescaled_sum import RescaledSum

if TYPE_CHECKING:
    from microstage_streamline.integerise.integerise import Integeriser

__all__ = ["HANDLERS"]


def _one_scale(x: Integers, name: str) -> None:
    """A sum over channels needs one scale for all of them."""
    scale = exact_scale(x.example)
    if scale.size > 1 and np.ptp(scale):
        raise NotInteger(
            f"sums or compares values of {name}, whose channels have different scales; quantise it with one scale"
        )


def _product(made: Integeriser, node: Node) -> list[Integers]:
    """(s x) (t W) = (s t) (x W)."""
    x = made.integers(node.inputs[0])
    if not is_depthwise(node, {node.inputs[0]: x.range}):
        _one_scale(x, node.inputs[0])
    weight = made.stored(node.inputs[1], node)
    if not is_quantised(made.values[node.output]):
        raise NotInteger(f"multiplies {node.inputs[0]} by {node.inputs[1]}, which are not both integers at a scale")
    return [
        made.emit(Node(node.op, [x.name, weight], node.outputs, node.flags, node.layer), made.values[node.output], x)
    ]


def _terms(made: Integeriser, node: Node) -> tuple[list[str], list[Integers]]:
    """The operands of the new node, and those of them that are computed."""
    names, computed = [], []
    for name in node.inputs:
        if name in made.constants:
            value = made.constants[name]
            names.append(made.keep(name, np.asarray(getattr(value, "ints", value), np.int64)))
        else:
            computed.append(made.integers(name))
            names.append(computed[-1].name)
    return names, computed


def _sum(made: Integeriser, node: Node) -> list[Integers | RescaledSum]:
    """s a + s b = s (a + b); at two scales, what the quantiser behind it makes of each pair."""
    names, computed = _terms(made, node)
    if node.op not in ("Add", "Sub") or not is_quantised(made.values[node.output]):
        for term, name in zip(computed, node.inputs):
            _one_scale(term, name)
        if len(computed) < 2 or not all(isinstance(t.example, QTensor) for t in computed):
            raise NotInteger(f"adds {' and '.join(node.inputs)}, whose scales differ; quantise both with one scale")
        return [RescaledSum(*computed, [node], made.values[node.output])]
    if node.op == "Sub":
        rank, minus = len(made.values[node.output].shape), f"{node.output}.minus"
        made.made.constants[f"{minus}.sign"] = np.full((1,) * rank, -1)
        if node.inputs[1] not in made.constants:
            computed[-1] = made.emit(
                Node("Mul", [names[1], f"{minus}.sign"], [minus], {}, node.layer), None, computed[-1]
            )
        else:
            made.made.constants[minus] = -made.made.constants[names[1]]
        names[1] = minus
    return [made.emit(Node("Add", names, node.outputs, {}, node.layer), made.values[node.output], *computed)]


def _element_product(made: Integeriser, node: Node) -> list[Integers]:
    """(s a) (t b) = (s t) (a b)."""
    names, computed = _terms(made, node)
    if not is_quantised(made.values[node.output]):
        raise NotInteger(f"multiplies {' and '.join(node.inputs)}, which are not both integers at a scale")
    return [made.emit(Node(node.op, names, node.outputs, {}, node.layer), made.values[node.output], *computed)]


def _moved(made: Integeriser, node: Node) -> list[Integers]:
    """move(s x) = s move(x), of one tensor or of several; sizes and axes are constants."""
    terms, inputs = [], []
    for name in node.inputs:
        if name and name not in made.constants:
            terms.append(made.integers(name))
            inputs.append(terms[-1].name)
        else:
            inputs.append(_joined(made, node, name) if name else name)
    examples = [made.values[name] for name in node.outputs]
    if any(np.size(getattr(example, "ints", example)) == 0 for example in examples):
        raise NotInteger("has an output without values")
    if not all(is_quantised(example) for example in examples):
        raise NotInteger(f"joins {' and '.join(node.inputs)}, which are not all integers at a scale")
    return made.emit_all(Node(node.op, inputs, node.outputs, node.flags, node.layer), examples, *terms)


def _joined(made: Integeriser, node: Node, name: str) -> str:
    """A constant that is moved along, or that says how."""
    value = made.constants[name]
    if node.op == "Gather" and name == node.inputs[0] or not is_quantised(value):
        raise NotInteger(f"reads the constant {name}, which is no integers at a scale, beside what is computed")
    made.made.constants[name] = np.asarray(getattr(value, "ints", value), np.int64)
    return name


def _extreme(made: Integeriser, node: Node) -> list[Integers]:
    """The least, or the greatest, of two tensors at one scale."""
    if node.op not in ("Min", "Max"):
        raise NotInteger(f"{node.op} has no form in integers")
    if not is_quantised(made.values[node.output]):
        raise NotInteger(f"compares {' and '.join(node.inputs)}, whose scales differ; quantise both with one scale")
    names, computed = _terms(made, node)
    return [made.emit(Node(node.op, names, node.outputs, {}, node.layer), made.values[node.output], *computed)]


def _average(made: Integeriser, node: Node) -> list[Integers]:
    """An average is a sum at another scale, and a sum is a convolution of each channel with ones."""
    x = made.integers(node.inputs[0])
    if not is_quantised(made.values[node.output]):
        _one_scale(x, node.inputs[0])
        raise NotInteger(f"averages {node.inputs[0]}, which is no integers at a scale")
    channels, *size = x.range.low.shape[1:]
    kernel, ones = list(node.flags.get("kernel_shape", size)), f"{node.output}.ones"
    made.made.constants[ones] = np.ones((channels, 1, *kernel), np.int64)
    flags = {key: node.flags[key] for key in ("strides", "pads", "dilations") if key in node.flags}
    new = Node("Conv", [x.name, ones], node.outputs, {**flags, "group": channels, "kernel_shape": kernel}, node.layer)
    return [made.emit(new, made.values[node.output], x)]


def _order(made: Integeriser, node: Node) -> list[Any]:
    """The places of the largest of a x + b are those of x for a > 0, of -x for a < 0; the lowest place first among
    equals.
    """
    x, line, turned = made.in_order(node.inputs[0])
    _one_scale(x, node.inputs[0])
    for name in node.inputs[1:]:
        made.made.constants[name] = np.asarray(made.constants[name], np.int64)
    examples, outputs = [made.values[name] for name in node.outputs], list(node.outputs)
    both = line is not None and len(outputs) > 1 and made.reads.get(outputs[0], 0) > 0
    if both and turned:
        raise NotInteger(
            "answers with the largest of values that are not in the order of their integers; expected"
            " their places alone"
        )
    if line is not None and len(outputs) > 1:
        examples[0], outputs[0] = (
            QTensor(np.zeros(examples[0].shape, np.int64), exact_scale(x.example)),
            f"{outputs[0]}.integers",
        )
    found = made.emit_all(Node(node.op, [x.name, *node.inputs[1:]], outputs, node.flags, node.layer), examples, x)
    return [Function(found[0], line.nodes, made.values[node.outputs[0]]), *found[1:]] if both else found


def _fixed(made: Integeriser, node: Node) -> list[Integers]:
    """Integers of integers by a rule of its own, whose other inputs are constants."""
    x = made.integers(node.inputs[0])
    for name in node.inputs[1:]:
        made.made.constants[name] = np.asarray(made.constants[name], np.int64)
    new = Node(node.op, [x.name, *node.inputs[1:]], node.outputs, node.flags, node.layer)
    return made.emit_all(new, [made.values[name] for name in node.outputs], x)


HANDLERS: dict[Kind, Callable[[Integeriser, Node], list[Any]]] = {
    Kind.PRODUCT: _product,
    Kind.SUM: _sum,
    Kind.ELEMENT_PRODUCT: _element_product,
    Kind.MOVES: _moved,
    Kind.MONOTONE: _extreme,
    Kind.AVERAGE: _average,
    Kind.ORDER: _order,
    Kind.FIXED: _fixed,
}
"By the kind of an operator."
