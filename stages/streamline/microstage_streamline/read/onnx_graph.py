"""Read an untrusted ONNX file as a `Graph`, or say in one sentence what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from microstage.errors import ModelError
from microstage.untrusted.exceptions import translated
from microstage.untrusted.onnx_file import read_onnx
from microstage_streamline.graph.graph import Graph, Node
from microstage_streamline.read.constants import constant, taken_as_constant
from microstage_streamline.read.graph_inputs import graph_inputs
from microstage_streamline.read.known_operators import CUSTOM, assert_known, assert_windows, where
from microstage_streamline.read.narrow_types import say_narrow_types
from microstage_streamline.read.opset import OLDEST, raised
from microstage_streamline.read.order import in_order

__all__ = ["graph_of", "nodes_of", "opset_of", "read_graph", "reads"]

OPSETS, IRS = (9, 25), (3, 14)
_OF_DAMAGED_FILES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"A name that is no text, a type that is no type."


def read_graph(path: Path) -> Graph:
    """Return the graph in `path`, batch 1, in an order that can be run; `ModelError` for whatever is no network that
    can be read.
    """
    try:
        return graph_of(read_onnx(path))
    except _OF_DAMAGED_FILES:
        raise ModelError("This is no ONNX file, or a damaged one; export the network again.") from None


def graph_of(model: onnx.ModelProto) -> Graph:
    """Return the graph of a model that was read, or made here."""
    opset = opset_of(model)
    for place, node in enumerate(model.graph.node):
        assert_known(node, place, opset)
    if opset < OLDEST:
        _assert_whole(model.graph)
    graph = raised(model, opset, CUSTOM).graph
    nodes, constants = nodes_of(graph)
    inputs = graph_inputs(graph, constants)
    outputs = [value.name for value in graph.output]
    ordered = in_order(nodes, {*constants, *inputs})
    if not inputs or not outputs or not ordered:
        what = "input" if not inputs else "output" if not outputs else "operator"
        raise ModelError(f"The graph has no {what}; export the network with its inputs, layers and outputs.")
    _assert_computed(graph, ordered, {*constants, *inputs})
    return Graph(ordered, constants, inputs, outputs, max(opset, OLDEST))


def _assert_whole(graph: onnx.GraphProto) -> None:
    """Refuse nodes and outputs that read what there is not: onnx's converter ends the process on them."""
    nodes, constants = nodes_of(graph)
    known = {*constants, *(value.name for value in graph.input)}
    _assert_computed(graph, in_order(nodes, known), known)


def _assert_computed(graph: onnx.GraphProto, nodes: Iterable[Node], known: Iterable[str]) -> None:
    made = {*known, *(name for node in nodes for name in node.outputs)}
    if missing := next((value.name for value in graph.output if value.name not in made), None):
        raise ModelError(f"The graph's output {missing} is computed by no node; export the network again.")


def nodes_of(graph: onnx.GraphProto) -> tuple[list[Node], dict[str, np.ndarray]]:
    """Return (nodes, constants by name) of a graph, or of one inside it."""
    constants = {tensor.name: constant(tensor) for tensor in graph.initializer}
    nodes = [_node(node, place) for place, node in enumerate(graph.node)]
    say_narrow_types(nodes, graph)
    return [node for node in nodes if not taken_as_constant(node, constants)], constants


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version that the model's operators are written in, if it can be read."""
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), None)
    if opset is None:
        raise ModelError("The model does not say which opset of ONNX it is written in; export it again.")
    if not OPSETS[0] <= opset <= OPSETS[1]:
        expected = f"{OPSETS[0]} to {OPSETS[1]}"
        raise ModelError(
            f"The model is written in opset {opset}; expected {expected}: export it with opset 13 or later."
        )
    if not IRS[0] <= model.ir_version <= IRS[1]:
        expected = f"{IRS[0]} to {IRS[1]}"
        raise ModelError(
            f"The model is written in ONNX IR {model.ir_version}; expected {expected}: save it with an older onnx."
        )
    return opset


def reads(node: onnx.NodeProto) -> list[str]:
    """Return the inputs of a node, and what graphs inside it take from those around them."""
    found = list(node.input)
    for graph in (a.g for a in node.attribute if a.HasField("g")):
        own = {tensor.name for tensor in graph.initializer} | {name for inner in graph.node for name in inner.output}
        read = [name for inner in graph.node for name in reads(inner)] + [output.name for output in graph.output]
        found += [name for name in dict.fromkeys(read) if name and name not in own]
    return found


def _node(proto: onnx.NodeProto, place: int) -> Node:
    layer = where(proto, place)
    with translated(lambda _: ModelError(f"{layer} ({proto.op_type}) has a damaged attribute.")):
        flags = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
    assert_windows(proto, layer, flags)
    operator = {"IntQuant": "Quant"}.get(proto.op_type, proto.op_type)
    inputs = reads(proto)
    while inputs and not inputs[-1]:  # an optional input that is not given
        inputs.pop()
    return Node(operator, inputs, list(proto.output), flags, layer)
