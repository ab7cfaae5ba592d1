"""Turn a calibrated graph of brevitas layers into integers: weights over their scales, biases over both, shifts."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import brevitas.nn as qnn
import numpy as np
import torch
from torch import Tensor, fx, nn

from microstage.errors import ModelError, VerificationError
from microstage.quantisation.integers import (
    Add,
    AveragePool,
    IntegerNetwork,
    Levels,
    MaxPool,
    Operation,
    Product,
    Quantise,
    Requantise,
    Reshape,
)
from microstage.quantisation.targets import Target

__all__ = ["lower"]

_SUMS = (operator.add, operator.iadd, torch.add, "add", "add_")
_SHAPES = (torch.flatten, torch.reshape, "flatten", "reshape", "view")
_SIZES = (operator.getitem, getattr, "size")  # of which shapes are made; what counts is the shape that came of it
_INT32 = 2**31 - 1


def lower(graph: fx.GraphModule, target: Target, example: Tensor) -> IntegerNetwork:
    """Return `graph` in integers. `ModelError` names a layer that has no integer form, or that the target cannot do."""
    lowering = _Lowering(graph, target, example)
    return lowering.network()


class _Lowering:
    """Walk the graph once. `scales` holds the unit of every integer value, `levels` what quantised ones can be."""

    def __init__(self, graph: fx.GraphModule, target: Target, example: Tensor) -> None:
        self.graph, self.target = graph, target
        self.modules = dict(graph.named_modules(remove_duplicate=False))
        self.shapes = _shapes(graph, example)
        self.operations: list[Operation] = []
        self.names: dict[fx.Node, str] = {}
        self.scales: dict[str, np.ndarray] = {}
        self.levels: dict[str, Levels] = {}
        self.rectified: set[str] = set()
        self.input = ""

    def network(self) -> IntegerNetwork:
        for node in self.graph.graph.nodes:
            self._visit(node)
        (returned,) = (node.args[0] for node in self.graph.graph.nodes if node.op == "output")
        output = self.names[returned]
        if output not in self.levels:
            raise ModelError(f"The network's output, {output}, is not quantised.")
        shapes = {name: self.shapes[node][1:] for node, name in self.names.items()}
        return IntegerNetwork(
            tuple(self.operations), self.input, output, shapes, self.levels, _FakeQuantised(self.graph)
        )

    def _visit(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            self.names[node] = self.input = str(node.target)
        elif node.op == "call_module":
            self._module(node, self.modules[node.target])
        elif node.target in _SUMS:
            self._add(node)
        elif node.target in _SHAPES:
            self._reshape(node)
        elif node.op != "output" and node.target not in _SIZES:
            raise ModelError(f"{node.name} has no integer form.")

    def _module(self, node: fx.Node, module: nn.Module) -> None:
        if isinstance(module, (qnn.QuantIdentity, qnn.QuantReLU)):
            self._quantise(node, module)
        elif isinstance(module, (qnn.QuantConv1d, qnn.QuantConv2d, qnn.QuantLinear)):
            self._product(node, module)
        elif isinstance(module, nn.AvgPool2d):
            self._average(node, module)
        elif isinstance(module, nn.MaxPool2d):
            self._pass(node, MaxPool, *(_pair(v) for v in (module.kernel_size, module.stride, module.padding)))
        elif isinstance(module, nn.Flatten):
            self._reshape(node)
        else:
            raise ModelError(f"Layer {node.target}: nn.{type(module).__name__} has no integer form.")

    def _quantise(self, node: fx.Node, module: nn.Module) -> None:
        """At the border real values become integers; within the network integers change their unit."""
        (source,) = self._sources(node)
        levels = _levels(module)
        if source == self.input:
            operation: Operation = Quantise(str(node.target), (source,), node.name, levels)
        else:
            factor = tuple(Fraction(float(scale)) / Fraction(levels.scale) for scale in self.scales[source].flat)
            rectified = isinstance(module, qnn.QuantReLU)
            operation = Requantise(
                str(node.target),
                (source,),
                node.name,
                factor,
                levels,
                self.target.rounding,
                rectified,
                self._zero(source),
            )
            self._assert_shifts(operation)
        self._append(node, operation, np.array([levels.scale]), levels)

    def _assert_shifts(self, operation: Requantise) -> None:
        if self.target.shift is None:
            return
        lowest, highest = self.target.shift
        shifts = operation.shifts
        if shifts is None or min(shifts) < lowest or max(shifts) > highest:
            what = "no power of two" if shifts is None else f"a shift by {min(shifts)} to {max(shifts)}"
            raise ModelError(
                f"Target {self.target.name} shifts by {lowest} to {highest}; layer {operation.layer} would need {what}."
            )

    def _product(self, node: fx.Node, module: nn.Module) -> None:
        (source,) = self._sources(node)
        quantised = module.quant_weight()
        weight_scale = quantised.scale.detach().double().flatten().numpy()
        scale = weight_scale * self.scales[source]
        column = weight_scale.reshape(-1, *[1] * (module.weight.ndim - 1))
        weight = np.rint(quantised.value.detach().double().numpy() / column)
        bias = np.zeros(len(weight)) if module.bias is None else module.bias.detach().double().numpy() / scale
        settings = {} if isinstance(module, qnn.QuantLinear) else _settings(module)
        operation = Product(
            str(node.target),
            (source,),
            node.name,
            weight.astype(np.int64),
            _weight_levels(module),
            weight_scale,
            np.rint(bias).astype(np.int64),
            scale,
            self._zero(source),
            **settings,
        )
        largest = operation.largest(self.levels[self._quantised(source)])
        if largest > _INT32:
            raise ModelError(f"Layer {node.target}: its sums reach {largest}, which 32 bits do not hold.")
        self._append(node, operation, scale)

    def _average(self, node: fx.Node, module: nn.AvgPool2d) -> None:
        (source,) = self._sources(node)
        kernel, stride, padding = (_pair(v) for v in (module.kernel_size, module.stride, module.padding))
        operation = AveragePool(str(node.target), (source,), node.name, kernel, stride, padding, self._zero(source))
        self._append(node, operation, self.scales[source] / (kernel[0] * kernel[1]))

    def _add(self, node: fx.Node) -> None:
        first, second = self._sources(node)
        if not np.array_equal(self.scales[first], self.scales[second]):
            raise VerificationError(f"{node.name}: the two that are added have scales of their own.")
        operation = Add(node.name, (first, second), node.name, (self._zero(first), self._zero(second)))
        self._append(node, operation, self.scales[first])

    def _reshape(self, node: fx.Node) -> None:
        self._pass(node, Reshape, tuple(self.shapes[node][1:]))

    def _pass(self, node: fx.Node, kind: Callable[..., Operation], *settings: object) -> None:
        """An operation that leaves integers what they are."""
        source = self._sources(node)[0]
        operation = kind(str(node.target), (source,), node.name, *settings)
        self._append(node, operation, self.scales[source], self.levels.get(source))

    def _append(self, node: fx.Node, operation: Operation, scale: np.ndarray, levels: Levels | None = None) -> None:
        self.operations.append(operation)
        self.names[node] = operation.output
        self.scales[operation.output] = scale
        if levels is not None:
            self.levels[operation.output] = levels

    def _sources(self, node: fx.Node) -> list[str]:
        return [self.names[source] for source in node.all_input_nodes if source in self.names]

    def _zero(self, name: str) -> int:
        return self.levels[name].zero if name in self.levels else 0

    def _quantised(self, name: str) -> str:
        if name not in self.levels:
            raise ModelError(f"{name} feeds a layer with weights and is not quantised.")
        return name


class _FakeQuantised:
    """Every quantised value of the network in floats, by name."""

    def __init__(self, graph: fx.GraphModule) -> None:
        self.graph = copy.deepcopy(graph).double().eval()

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Mapping[str, Tensor]:
        recorded: dict[str, Tensor] = {}

        class _Recording(fx.Interpreter):
            def run_node(self, node: fx.Node) -> object:
                result = super().run_node(node)
                recorded[node.name] = getattr(result, "value", result)
                return result

        _Recording(self.graph).run(x.double())
        return recorded


def _shapes(graph: fx.GraphModule, example: Tensor) -> dict[fx.Node, tuple[int, ...]]:
    shapes: dict[fx.Node, tuple[int, ...]] = {}

    class _Recording(fx.Interpreter):
        def run_node(self, node: fx.Node) -> object:
            result = super().run_node(node)
            if hasattr(result, "shape"):
                shapes[node] = tuple(result.shape)
            return result

    with torch.no_grad():
        _Recording(graph).run(example)
    return shapes


def _levels(module: nn.Module) -> Levels:
    quantiser = module.act_quant
    bits, signed = int(quantiser.bit_width()), quantiser.is_signed
    lowest = -(2 ** (bits - 1)) + quantiser.is_narrow_range if signed else 0
    highest = 2 ** (bits - signed) - 1
    return Levels(float(quantiser.scale()), int(quantiser.zero_point()), int(lowest), int(highest))


def _weight_levels(module: nn.Module) -> Levels:
    highest = 2 ** (int(module.quant_weight_bit_width()) - 1) - 1
    return Levels(1.0, 0, -highest - (not module.weight_quant.is_narrow_range), highest)


def _settings(module: nn.Module) -> dict[str, Any]:
    padding = module.padding
    if isinstance(padding, str):
        raise ModelError(f"padding={padding!r} is not supported: give it in numbers.")
    return {"stride": module.stride, "padding": padding, "dilation": module.dilation, "groups": module.groups}


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
