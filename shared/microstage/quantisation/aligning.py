"""Give each activation the range at which a power of two is the very scale that serves it best.

What flows between two layers may be multiplied by any factor above zero: the layers in front of it are multiplied too,
those behind it divided. A scale that has to be a power of two is up to a half too fine or too coarse; the factor takes
that away. Tensors that are added or joined have one factor, and the network's own ends keep their units.
"""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace

import brevitas.nn as qnn
import torch
from brevitas.nn.quant_layer import QuantNonLinearActLayer
from torch import Tensor, fx, nn

from microstage.quantisation.network import quantize
from microstage.quantisation.passes.error import answers, relative_l2
from microstage.quantisation.preparing import PreparedNetwork
from microstage.quantisation.preparing.arguments import JOINS
from microstage.quantisation.preparing.equivalence import assert_equivalent
from microstage.quantisation.quantisers.scales import layers_with_weights
from microstage.quantisation.representative import spread_examples
from microstage.quantisation.targets import AS_DIANA, Target

__all__ = ["aligned"]

_FEW = 256  # examples that factors are chosen by
_HOMOGENEOUS = (
    *(qnn.QuantIdentity, qnn.QuantReLU),
    *(nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d),
)
"f(a x) = a f(x) for every a above zero, but for what quantisers round."


def aligned(prepared: PreparedNetwork, target: Target, batches: Sequence[Tensor]) -> PreparedNetwork:
    """Return the same function, with such factors where the target's activations have powers of two as scales.

    `batches` [n, ...] are representative inputs. The network stays as it is where its integers come no nearer to it, as
    the weights' scales move too. Raise `VerificationError` where the function became another.
    """
    if target.activations.scale != "power-of-two" or target.calibration == AS_DIANA:
        return prepared
    few = spread_examples(batches, _FEW)
    suited = _with_factors(prepared, target, few)
    return min((prepared, suited), key=lambda network: _error(network, target, few))


def _error(prepared: PreparedNetwork, target: Target, batches: Sequence[Tensor]) -> float:
    quantised = quantize(prepared, target).calibrate(batches, "mse")
    return relative_l2(answers(quantised, batches), answers(prepared, batches))


def _with_factors(prepared: PreparedNetwork, target: Target, batches: Sequence[Tensor]) -> PreparedNetwork:
    free = replace(target, activations=replace(target.activations, scale="real"), shift=None)
    quantised = quantize(prepared, free).calibrate(batches, "mse").graph_module
    graph = copy.deepcopy(prepared.graph_module)
    _multiply(graph, _factors_of_layers(quantised))
    assert_equivalent(prepared.graph_module, graph, prepared.example)
    return PreparedNetwork(graph, prepared.unfolded, prepared.example)


@torch.no_grad()
def _multiply(graph: fx.GraphModule, factors: Mapping[str, tuple[float, float]]) -> None:
    """Make each layer take inputs that are multiplied by its first factor, and give outputs by its second."""
    for name, (before, behind) in factors.items():
        layer = graph.get_submodule(name)
        layer.weight.mul_(behind / before)
        if layer.bias is not None:
            layer.bias.mul_(behind)


def _factors_of_layers(graph: fx.GraphModule) -> dict[str, tuple[float, float]]:
    """Return {module path: (factor of its input, of its output)} for each layer with weights."""
    modules, layers = dict(graph.named_modules(remove_duplicate=False)), dict(layers_with_weights(graph))
    together = _Together(graph, modules, layers)
    scales: dict[fx.Node, list[float]] = {}
    for node in graph.graph.nodes:
        quantiser = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(quantiser, QuantNonLinearActLayer):
            scales.setdefault(together.first(node), []).append(float(quantiser.act_quant.scale()))

    def factor(node: fx.Node) -> float:
        first = together.first(node)
        return 1.0 if first in together.fixed else _best_factor(scales.get(first, []))

    nodes = (node for node in graph.graph.nodes if node.op == "call_module" and str(node.target) in layers)
    return {str(node.target): (factor(node.all_input_nodes[0]), factor(node)) for node in nodes}


def _best_factor(scales: Sequence[float]) -> float:
    """Return the factor at which scales of one group are nearest to powers of two."""
    candidates = [2.0 ** round(math.log2(scale)) / scale for scale in scales]
    return min(candidates, key=lambda factor: sum(_miss(factor * scale) for scale in scales), default=1.0)


def _miss(scale: float) -> float:
    return (math.log2(scale) - round(math.log2(scale))) ** 2


class _Together:
    """Groups of nodes whose tensors have one factor: `first` names a node's group, `fixed` are those that stay."""

    def __init__(
        self, graph: fx.GraphModule, modules: Mapping[str, nn.Module], layers: Mapping[str, nn.Module]
    ) -> None:
        self._before: dict[fx.Node, fx.Node] = {}
        self._modules, fixed = modules, []
        for node in graph.graph.nodes:
            if node.op == "call_module" and str(node.target) in layers:
                continue
            if self._is_homogeneous(node):
                for source in node.all_input_nodes:
                    self._before[self.first(source)] = self.first(node)
            else:
                fixed += [node, *node.all_input_nodes]
        self.fixed = {self.first(node) for node in fixed}

    def first(self, node: fx.Node) -> fx.Node:
        while node in self._before and self._before[node] is not node:
            node = self._before[node]
        return node

    def _is_homogeneous(self, node: fx.Node) -> bool:
        if node.op == "call_module":
            return isinstance(self._modules[str(node.target)], _HOMOGENEOUS)
        return node.target in (operator.add, "reshape", *JOINS)
