"""Walk the graph once. One table says which function turns which layer, function or method into integers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import brevitas
import brevitas.nn as qnn
import torch
from torch import Tensor, fx, nn

from microstage.errors import ModelError
from microstage.quantisation.integers.integer_network import IntegerNetwork
from microstage.quantisation.integers.operations import Requantise
from microstage.quantisation.lowering.activations import quantise
from microstage.quantisation.lowering.fitting import assert_fits
from microstage.quantisation.lowering.lowered import Lowered
from microstage.quantisation.lowering.moves import average_pool, max_pool, reshape
from microstage.quantisation.lowering.products import product
from microstage.quantisation.lowering.recorded import FakeQuantised, shapes_of
from microstage.quantisation.lowering.sums import add, concatenate
from microstage.quantisation.quantisers.layers import QuantReLU6
from microstage.quantisation.targets import Target

__all__ = ["integers_of", "lower"]

_OF_MODULES: dict[type[nn.Module], Callable[[Lowered, fx.Node, Any], None]] = {
    qnn.QuantIdentity: quantise,
    qnn.QuantReLU: quantise,
    QuantReLU6: quantise,
    qnn.QuantConv1d: product,
    qnn.QuantConv2d: product,
    qnn.QuantLinear: product,
    nn.AvgPool1d: average_pool,
    nn.AvgPool2d: average_pool,
    nn.MaxPool1d: max_pool,
    nn.MaxPool2d: max_pool,
    nn.Flatten: lambda lowered, node, module: reshape(lowered, node),
}
_OF_FUNCTIONS: dict[Any, Callable[[Lowered, fx.Node], None]] = {
    **dict.fromkeys((operator.add, operator.iadd, torch.add, "add", "add_"), add),
    **dict.fromkeys((torch.flatten, torch.reshape, "flatten", "reshape", "view"), reshape),
    **dict.fromkeys((torch.cat, brevitas.original_cat), concatenate),
}
_SIZES = (operator.getitem, getattr, "size")  # of which shapes are made; what counts is the shape that came of it


def lower(graph: fx.GraphModule, target: Target, example: Tensor) -> IntegerNetwork:
    """Return `graph` in integers.

    Raise `ModelError` for a layer that has no integer form, or that needs a shift or a sum which the target cannot do.
    """
    network = integers_of(graph, target, example)
    for operation in network.operations:
        if isinstance(operation, Requantise):
            assert_fits(operation, network.operations, network.levels, target)
    return network


def integers_of(graph: fx.GraphModule, target: Target, example: Tensor) -> IntegerNetwork:
    """Return `graph` in integers, whether or not the target can compute with integers of that size."""
    lowered = Lowered(target, shapes_of(graph, example))
    modules = dict(graph.named_modules(remove_duplicate=False))
    for node in graph.graph.nodes:
        _visit(lowered, node, modules)
    (returned,) = (node.args[0] for node in graph.graph.nodes if node.op == "output")
    return _network(lowered, lowered.names[returned], FakeQuantised(graph))


def _visit(lowered: Lowered, node: fx.Node, modules: dict[str, nn.Module]) -> None:
    if node.op == "placeholder":
        lowered.begin(node)
    elif node.op == "call_module":
        module = modules[node.target]
        kinds = [kind for kind in _OF_MODULES if isinstance(module, kind)]
        if not kinds:
            raise ModelError(f"Layer {node.target}: nn.{type(module).__name__} has no integer form.")
        _OF_MODULES[kinds[0]](lowered, node, module)
    elif node.target in _OF_FUNCTIONS:
        _OF_FUNCTIONS[node.target](lowered, node)
    elif node.op != "output" and node.target not in _SIZES:
        raise ModelError(f"{node.name} has no integer form.")


def _network(lowered: Lowered, output: str, fake_quantised: FakeQuantised) -> IntegerNetwork:
    if output not in lowered.levels:
        raise ModelError(f"The network's output, {output}, is not quantised.")
    shapes = {name: lowered.shapes[node][1:] for node, name in lowered.names.items()}
    return IntegerNetwork(tuple(lowered.operations), lowered.input, output, shapes, lowered.levels, fake_quantised)
