"""Quantisers and tables become MultiThreshold nodes on integer accumulators."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.interpreter import run_node
from microstage_streamline.finn.annotate_datatypes import datatype_of
from microstage.integer.ranges import Range, node_range, of_type
from microstage_streamline.integerise.thresholds import Thresholds, chain_function, search

__all__ = ["ThresholdQuantisers"]

_ELEMENTWISE = ("BatchNormalization", "Relu", "Clip", "QuantizeLinear", "Cast", "Sub", "Add", "Mul", "Div", "Gather",
                "DequantizeLinear", "Sigmoid", "Tanh", "Identity", "BipolarQuant")
_PRODUCTS = ("Conv", "MatMul")
_ACCUMULATORS = (*_PRODUCTS, "Add", "Mul")


class ThresholdQuantisers(Transformation):
    """q(f(a)) = low + count(a >= T): the elementwise chain from an integer accumulator `a` to integers becomes thresholds.

    The chain ends at the last integer tensor that only one reader knows, so that a quantiser and the sigmoid or tanh
    table behind it are one MultiThreshold. A falling channel negates its weights; `inputs` are the provable ranges
    (low, high) of the graph inputs. All chains are replaced at once, upstream first, since each needs the ranges before it.
    """

    def __init__(self, inputs: dict[str, tuple[int, int]]) -> None:
        super().__init__()
        self.inputs = inputs

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        self.model = model
        self.constants = {i.name: model.get_initializer(i.name) for i in model.graph.initializer}
        self.values: dict[str, Any] = {}
        self.ranges: dict[str, Range] = {}
        for name, (low, high) in self.inputs.items():
            shape = [1, *model.get_tensor_shape(name)[1:]]
            self.ranges[name], self.values[name] = of_type(shape, low, high), np.zeros(shape, np.int64)
        self.weights: dict[str, np.ndarray] = {}  # integers behind each dequantised constant
        self.replaced: list[tuple[list, Any]] = []
        done: set[str] = set()
        for node in list(model.graph.node):
            if node.output[0] in done:
                continue
            chain = self._chain(node)
            if chain:
                done.update(n.output[0] for n in chain)
                self._threshold(chain)
            else:
                self._follow(node)
        for chain, new in self.replaced:
            self._replace(chain, new)
        return model, False

    def _chain(self, node) -> list:
        """The longest run of elementwise nodes from `node` on that ends in integers; empty if there is none."""
        dynamic = self._dynamic(node)
        if node.op_type not in _ELEMENTWISE or len(dynamic) != 1 or node.op_type == "DequantizeLinear":
            return []
        run, best = [node], 0
        while True:
            last = run[-1]
            if last.op_type in ("QuantizeLinear", "Clip", "Gather", "Cast") and self._is_integer_end(run):
                best = len(run)
            readers = self.model.find_consumers(last.output[0])
            outside = last.output[0] in {o.name for o in self.model.graph.output}
            if len(readers) != 1 or outside or readers[0].op_type not in _ELEMENTWISE or len(self._dynamic(readers[0])) != 1:
                return run[:best]
            run.append(readers[0])

    @staticmethod
    def _is_integer_end(run: list) -> bool:
        """A table, a quantiser, or the Clip or Cast right behind one; not the Relu-like Clip of real numbers."""
        behind = {"Clip": "QuantizeLinear", "Cast": "BipolarQuant"}.get(run[-1].op_type)
        return behind is None or (len(run) > 1 and run[-2].op_type == behind)

    def _dynamic(self, node) -> list[str]:
        return [name for name in node.input if name and name not in self.constants and not self._is_weight(name)]

    def _is_weight(self, name: str) -> bool:
        source = self.model.find_producer(name)
        return source is not None and source.op_type == "DequantizeLinear" and source.input[0] in self.constants

    def _follow(self, node) -> None:
        """Carry example values (for the scales) and ranges (for the integers) past a node that stays."""
        known = {**self.constants, **self.values}
        self.values.update(run_node(node, known))
        if node.op_type == "DequantizeLinear":
            source = node.input[0]
            if source in self.constants:
                self.weights[node.output[0]] = self.constants[source]
            else:
                self.ranges[node.output[0]] = self.ranges[source]
            return
        self.ranges.update(node_range(node, self.ranges, {**self.constants, **self.weights}))

    def _threshold(self, chain: list) -> None:
        start = self._dynamic(chain[0])[0]
        accumulator, scale = self.values[start], None
        if isinstance(accumulator, QTensor):
            scale = accumulator.scale
            if np.size(scale) > 1:
                scale = np.asarray(scale)
        elif not np.issubdtype(np.asarray(accumulator).dtype, np.integer):
            raise ModelError(f"{start}, which {chain[-1].output[0]} is quantised from, is no integer accumulator.")
        source = self.model.find_producer(start)
        rank, axis = self.ranges[start].low.ndim, 1
        if source is not None and source.op_type == "MatMul" or rank == 2:
            axis = rank - 1
        if np.size(scale) > self.ranges[start].low.shape[axis]:  # as of joined branches: one scale for each value
            raise ModelError(f"{start}, which {chain[-1].output[0]} is quantised from, has scales that differ within a channel.")
        others = tuple(a for a in range(rank) if a != axis)
        low, high = self.ranges[start].low.min(axis=others), self.ranges[start].high.max(axis=others)
        found = search(chain_function(chain, start, scale, self.constants, rank, axis), low, high)
        if found.flipped.any():
            self._flip(source, found.flipped, chain[-1].output[0])
        self._record(chain, start, found, rank, axis)

    def _flip(self, source, flipped: np.ndarray, name: str) -> None:
        """Negate the weights of the falling channels: -a rises where a falls."""
        if source is None or source.op_type not in _PRODUCTS or len(source.input) > 2 or self.model.is_fork_node(source):
            raise ModelError(f"{name} falls with its accumulator, which is no product whose weights could be negated.")
        maker = self.model.find_producer(source.input[1])
        weight = self.constants[maker.input[0]]
        sign = np.where(flipped, -1, 1).astype(weight.dtype)
        shape = (-1,) + (1,) * (weight.ndim - 1) if source.op_type == "Conv" else (1,) * (weight.ndim - 1) + (-1,)
        if weight.min() == np.iinfo(weight.dtype).min:
            raise ModelError(f"{name} needs negated weights, and its weights use the one value that has no negative.")
        self.constants[maker.input[0]] = weight * sign.reshape(shape)
        self.model.set_initializer(maker.input[0], weight * sign.reshape(shape))

    def _record(self, chain: list, start: str, found: Thresholds, rank: int, axis: int) -> None:
        output = chain[-1].output[0]
        table = found.table if np.any(found.table != found.table[:1]) else found.table[:1]
        levels = found.low, found.low + found.table.shape[1]
        kind = datatype_of(*levels)
        layout = {2: "NC", 3: "NCW" if axis == 1 else "NWC", 4: "NCHW" if axis == 1 else "NHWC"}[rank]
        node = helper.make_node(
            "MultiThreshold", [start, f"{output}.thresholds"], [output], domain="qonnx.custom_op.general",
            out_dtype=kind.name, out_scale=1.0, out_bias=float(found.low), data_layout=layout,
        )
        self.replaced.append((chain, (node, table)))
        self.ranges[output] = of_type(list(self.ranges[start].low.shape), *levels)
        self.values[output] = np.zeros(self.ranges[start].low.shape, np.int64)

    def _replace(self, chain: list, new: tuple) -> None:
        node, table = new
        place = list(self.model.graph.node).index(chain[-1])
        self.model.graph.node.insert(place, node)
        for old in chain:
            self.model.graph.node.remove(old)
        self.model.set_initializer(node.input[1], table.astype(np.float32))
        self.model.set_tensor_datatype(node.input[1], datatype_of(int(table.min()), int(table.max())))
