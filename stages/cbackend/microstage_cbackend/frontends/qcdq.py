"""Reads a QCDQ graph (QuantizeLinear, Clip, DequantizeLinear, as onnxruntime and our own qcdq stage write them) into a `Part`.

Every activation is followed as exact integers with a scale; the real numbers between a sum and the next quantiser are
never computed in C but become the staircase that they are (staircases.py). The meaning of the graph is the integer reference's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.interpreter import attributes, run_node
from microstage.onnx_file import read_onnx
from microstage_cbackend.frontends.builder import Builder
from microstage_cbackend.frontends.finn import datatype_range, finish_output
from microstage_cbackend.frontends.finn_operators import MOVES, Node
from microstage_cbackend.frontends.staircases import ELEMENTWISE, Chain, Link, staircase
from microstage_cbackend.frontends.sums import fit_blend
from microstage_cbackend.program.ir import Part, Tensor, smallest_type
from microstage_cbackend.program.stages import Search
from microstage_cbackend.program.windows import Window

__all__ = ["is_qcdq", "read_qcdq"]

_INTEGER_TYPES = {2: "UINT8", 3: "INT8", 4: "UINT16", 5: "INT16", 6: "INT32", 7: "INT64"}
_MOST_LEVELS = 65536
_LARGEST_TABLE = 65536


@dataclass(frozen=True)
class Value:
    """An activation: the links applied to `tensor`, whose value is scale * (integer - zero), or the bare integers.

    `rows` of the tensor's shape says which channel each element was when the chain began; `signs` [channels] what the
    tensor was multiplied by so that the function does not fall.
    """

    tensor: Tensor
    scale: np.ndarray | None = None
    zero: int = 0
    axis: int = 1
    links: tuple[Link, ...] = ()
    origin: tuple[int, ...] = ()
    "Shape when the chain began."
    rows: np.ndarray | None = None
    signs: np.ndarray | None = None
    other: Value | None = None
    "The second operand of a sum of two scales, which the first link adds."

    def chain(self) -> Chain:
        axis = min(self.axis, len(self.origin) - 1)
        return Chain(self.links, len(self.origin), axis, self.origin[axis], self.scale, self.zero)

    def begun(self) -> Value:
        """The same with what a chain is told when it begins."""
        if self.links:
            return self
        axis = min(self.axis, len(self.tensor.shape) - 1)
        shape = [-1 if a == axis else 1 for a in range(len(self.tensor.shape))]
        rows = np.broadcast_to(np.arange(self.tensor.shape[axis]).reshape(shape), self.tensor.shape)
        return replace(self, origin=self.tensor.shape, rows=rows, signs=np.ones(self.tensor.shape[axis], np.int64))


def is_qcdq(model: onnx.ModelProto) -> bool:
    """Whether the graph quantises or dequantises."""
    return any(n.op_type in ("QuantizeLinear", "DequantizeLinear") for n in model.graph.node)


def read_qcdq(name: str, path: Path, interface: dict[str, Any]) -> Part:
    """The program of QCDQ graph `path`; raises `ModelError` naming node and place."""
    return _Reader(name, read_onnx(path).graph, interface).read()


class _Reader:
    def __init__(self, name: str, graph: onnx.GraphProto, interface: dict[str, Any]) -> None:
        self.graph, self.interface = graph, interface
        self.part = Part(name)
        self.builder = Builder(self.part)
        self.values: dict[str, Any] = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self.place = ""

    def read(self) -> Part:
        for value in self.graph.input:
            if value.name not in self.values:
                self.values[value.name] = self._input(value)
        for index, node in enumerate(self.graph.node):
            self.place = f"Node {node.name or node.op_type} ({node.op_type}, {index + 1} of {len(self.graph.node)} in {self.part.name})"
            self._node(node)
        for value in self.graph.output:
            self._output(value.name)
        return self.part

    def _refuse(self, reason: str) -> ModelError:
        return ModelError(f"{self.place} {reason}")

    def _input(self, value: onnx.ValueInfoProto) -> Value:
        """Integers as declared; a real input is what the QuantizeLinear behind it makes of it."""
        kind = value.type.tensor_type
        shape = tuple(1 if i == 0 else d.dim_value for i, d in enumerate(kind.shape.dim))
        given = [d.dim_value for d in kind.shape.dim][:1]
        if not shape or 0 in shape or given not in ([0], [1]):
            raise ModelError(f"Input {value.name} of {self.part.name} has shape {list(shape)}; fix every dimension, and the batch to 1.")
        facts = self.interface.get("inputs", {}).get(value.name, {})
        low, high = self._input_range(value, facts)
        tensor = Tensor(value.name, shape, low, high, declared=smallest_type(low, high, f"Input {value.name}"))
        self.part.inputs.append(tensor)
        return Value(tensor)

    def _input_range(self, value: onnx.ValueInfoProto, facts: dict[str, Any]) -> tuple[int, int]:
        if "datatype" in facts:
            return datatype_range(facts["datatype"])
        number = value.type.tensor_type.elem_type
        if number in _INTEGER_TYPES:
            return datatype_range(_INTEGER_TYPES[number])
        readers = [n for n in self.graph.node if value.name in n.input]
        if len(readers) != 1 or readers[0].op_type != "QuantizeLinear":
            raise ModelError(f"Input {value.name} of {self.part.name} is real and not quantised at once; put one QuantizeLinear behind it.")
        zero = np.asarray(self.values[readers[0].input[2]]) if len(readers[0].input) > 2 else np.zeros((), np.uint8)
        self.part.interface[value.name] = {"scale": float(self.values[readers[0].input[1]]), "zero_point": int(zero)}
        info = np.iinfo(zero.dtype)
        return info.min, info.max

    def _node(self, node: onnx.NodeProto) -> None:
        missing = [name for name in node.input if name and name not in self.values]
        if missing:
            raise self._refuse(f"reads {missing[0]}, which no node before it computes; sort the graph topologically.")
        arguments = [self.values[name] if name else None for name in node.input]
        varying = [a for a in arguments if isinstance(a, Value)]
        if not varying:
            self._fold(node)
        elif node.op_type == "QuantizeLinear" and self._is_input_quantiser(node):
            self.values[node.output[0]] = arguments[0]
        elif node.op_type in MOVES:
            self._move(node, arguments)
        elif node.op_type == "DequantizeLinear":
            self.values[node.output[0]] = self._dequantised(node, arguments)
        elif node.op_type in _LOWERINGS and (len(varying) > 1 or node.op_type not in ELEMENTWISE):
            result = _LOWERINGS[node.op_type](self, node, arguments)
            self.values.update(zip(node.output, result if isinstance(result, list) else [result]))
        elif node.op_type in ELEMENTWISE and len(varying) == 1:
            self.values[node.output[0]] = self._linked(node, arguments)
        else:
            known = ", ".join(sorted({*ELEMENTWISE, *MOVES, *_LOWERINGS, "DequantizeLinear"}))
            raise self._refuse(f"is an operator that the C generator cannot make; it would be possible with a lowering beside {known}.")

    def _fold(self, node: onnx.NodeProto) -> None:
        """Constants by the integer reference."""
        if node.op_type == "Constant":
            given = attributes(node)
            self.values[node.output[0]] = numpy_helper.to_array(given["value"]) if "value" in given else np.asarray(next(iter(given.values())))
            return
        try:
            self.values.update(run_node(node, self.values))
        except ModelError as error:
            raise self._refuse(f"cannot be computed from constants: {error}") from None

    def _is_input_quantiser(self, node: onnx.NodeProto) -> bool:
        value = self.values[node.input[0]]
        return node.input[0] in self.part.interface and value.tensor in self.part.inputs

    def _move(self, node: onnx.NodeProto, arguments: list[Any]) -> None:
        value = arguments[0]
        constants = [None] + [None if a is None else Tensor("", np.shape(a), 0, 0, np.asarray(a, np.int64)) for a in arguments[1:]]
        helper = Node(self.builder, node.op_type, self.place, constants, attributes(node), list(node.output))
        move = MOVES[node.op_type]
        moved = move(helper, value.tensor.places)
        rows = move(helper, value.rows) if value.links else [None] * len(moved)
        scales = [value.scale] * len(moved)
        if value.scale is not None and np.size(value.scale) > 1 and not value.links:
            scales = move(helper, np.broadcast_to(value.scale, value.tensor.shape))
        axis = value.axis
        if node.op_type == "Transpose" and not value.links:
            axis = list(attributes(node)["perm"]).index(axis)
        link = (Link(node, node.input[0], dict(zip(node.input[1:], arguments[1:]))),) if value.links else ()
        for name, places, row, scale in zip(node.output, moved, rows, scales):
            tensor = value.tensor.view(name, places)
            self.values[name] = replace(value, tensor=tensor, rows=row, scale=scale, axis=axis, links=value.links + link)

    def _linked(self, node: onnx.NodeProto, arguments: list[Any]) -> Value:
        """The value after one more operator, which is not computed yet."""
        flow = next(i for i, a in enumerate(arguments) if isinstance(a, Value))
        value = arguments[flow]
        constants = {n: a for n, a in zip(node.input, arguments) if not isinstance(a, Value)}
        other = arguments[1 - flow] if node.op_type == "Add" else None
        if isinstance(other, QTensor) and not value.links and value.scale is not None and _same(value.scale, other.scale):
            return self._with_bias(node, value, other)
        if isinstance(other, np.ndarray) and np.issubdtype(other.dtype, np.integer) and not value.links and value.scale is None:
            return self._with_bias(node, value, QTensor(other.astype(np.int64), np.float64(1)))
        value = value.begun()
        return replace(value, links=(*value.links, Link(node, node.input[flow], constants)))

    def _with_bias(self, node: onnx.NodeProto, value: Value, bias: QTensor) -> Value:
        """Integers of one scale are added as integers."""
        ints = np.asarray(bias.ints, np.int64)
        constant = Tensor(f"{node.output[0]}_bias", ints.shape, int(ints.min()), int(ints.max()), ints)
        return replace(value, tensor=self.builder.add(self.place, node.op_type, node.output[0], value.tensor, constant))

    def _dequantised(self, node: onnx.NodeProto, arguments: list[Any]) -> Value:
        value = self.integers(arguments[0], node.input[0])
        if value.scale is not None:
            raise self._refuse("dequantises what is no bare integer; put a QuantizeLinear before it.")
        zero = np.asarray(arguments[2]) if len(arguments) > 2 else np.zeros(1, np.int64)
        if np.size(arguments[1]) != 1 or np.any(zero != zero.flat[0]):
            raise self._refuse("has a scale per channel for an activation; use one scale for the tensor.")
        return Value(value.tensor, np.asarray(arguments[1], np.float64).reshape(()), int(zero.flat[0]), value.axis)

    def integers(self, value: Value, name: str) -> Value:
        """`value`, which the graph calls `name`, with its chain computed: exact integers, with a scale or bare."""
        if not value.links:
            return value
        found = fit_blend(self.builder, self.place, name, value) if value.other is not None else self._computed(value, name)
        self.values[name] = found  # once for all its readers
        return found

    def _computed(self, value: Value, name: str) -> Value:
        try:
            kind = value.chain().evaluate(np.zeros((1, len(value.signs)), np.int64))
            self._require_integers(value, kind)
            tensor = self._stage(value, name)
        except ValueError as error:
            raise self._refuse(f"cannot be made: {error}.") from None
        scale = np.asarray(kind.scale) if isinstance(kind, QTensor) else None
        return Value(tensor, scale, 0, value.axis)

    def _require_integers(self, value: Value, kind: Any) -> None:
        if not isinstance(kind, QTensor) and not np.issubdtype(np.asarray(kind).dtype, np.integer):
            last = value.links[-1].node
            raise self._refuse(
                f"reads real numbers ({last.output[0]}, of {last.op_type}) that no quantiser makes integers; "
                f"put a QuantizeLinear behind {last.op_type}."
            )

    def _stage(self, value: Value, name: str) -> Tensor:
        """The thresholds of a chain, or its table where it goes up and down."""
        chain, x = value.chain(), value.tensor
        if not chain.monotone:
            return self._table(chain, value, name)
        value = self.rising(value)
        x = value.tensor
        reach = np.abs(chain(np.stack([value.signs * x.low, value.signs * x.high])).astype(np.float64)).max()
        if reach > _MOST_LEVELS:
            raise ValueError(f"it has values up to {reach:.0f}; quantisers of up to 16 bits can be made")
        thresholds, base = staircase(chain, x.low, x.high, value.signs)
        rows = value.rows
        if np.all(thresholds == thresholds[:1]):
            thresholds, rows = thresholds[:1], np.zeros(1, np.int64)
            if base == x.low and np.array_equal(thresholds[0], np.arange(x.low + 1, x.high + 1)):
                return x  # quantised to the integers that it already is
        operator = " and ".join(dict.fromkeys(link.node.op_type for link in value.links))
        return self.builder.search(self.place, operator, name, x, rows, Search(thresholds, 1, base))

    def _table(self, chain: Chain, value: Value, name: str) -> Tensor:
        x = value.tensor
        if x.high - x.low >= _LARGEST_TABLE:
            raise ValueError(f"its table goes up and down over {x.high - x.low + 1} integers; up to {_LARGEST_TABLE} can be made")
        every = np.repeat(np.arange(x.low, x.high + 1)[:, None], len(value.signs), axis=1)
        found = chain(value.signs * every)
        if np.any(found != found[:, :1]):
            raise ValueError("its table differs from channel to channel")
        return self.builder.table(self.place, "Gather", name, x, found[:, 0].astype(np.int64))

    def rising(self, value: Value) -> Value:
        """`value` with the channels negated in which its function falls."""
        x = value.tensor
        falls = value.chain().falls(x.low, x.high) if np.all(value.signs == 1) else np.zeros(len(value.signs), bool)
        if not falls.any():
            return value
        signs = np.where(falls, -1, 1)
        factor = signs[value.rows]
        constant = Tensor(f"{x.name}_signs", factor.shape, int(factor.min()), int(factor.max()), factor)
        return replace(value, tensor=self.builder.mul(self.place, "Mul", f"{x.name}_rising", x, constant), signs=signs)

    def _output(self, name: str) -> None:
        self.place = f"Output {name} of {self.part.name}"
        if not isinstance(self.values.get(name), Value):
            raise self._refuse("is computed by no node from an input; export the graph again.")
        value = self.integers(self.values[name], name)
        if value.scale is not None:
            scale = np.asarray(value.scale)
            self.part.interface[name] = {"scale": float(scale) if scale.size == 1 else scale.ravel().tolist(), "zero_point": value.zero}
        declared = self.interface.get("outputs", {}).get(name, {}).get("datatype")
        finish_output(self.builder, value.tensor, name, declared)

    # operators with a layer of their own

    def _operand(self, node: onnx.NodeProto, index: int) -> Value:
        value = self.integers(self.values[node.input[index]], node.input[index])
        if np.size(value.scale if value.scale is not None else 1) > 1:
            raise self._refuse(f"reads {node.input[index]}, which has several scales; quantise it first.")
        return value

    def _weights(self, node: onnx.NodeProto, index: int) -> QTensor:
        weights = self.values[node.input[index]]
        if isinstance(weights, np.ndarray) and np.issubdtype(weights.dtype, np.integer):
            return QTensor(weights.astype(np.int64), np.float64(1))
        if not isinstance(weights, QTensor):
            raise self._refuse("multiplies by weights that are not integers; put them behind a DequantizeLinear.")
        return weights

    def _bias(self, node: onnx.NodeProto, scale: np.ndarray, weights: np.ndarray, zero: int) -> tuple[np.ndarray | None, Any]:
        """(integers added to each output's sum, what is left to add as real numbers)."""
        fixed = -zero * weights.reshape(len(weights), -1).sum(axis=1) if zero else np.zeros(len(weights), np.int64)
        given = self.values[node.input[2]] if len(node.input) > 2 and node.input[2] else None
        if isinstance(given, QTensor) and _same(np.ravel(scale), np.ravel(given.scale)):
            return fixed + given.ints.ravel(), None
        return fixed, given

    def _after(self, node: onnx.NodeProto, tensor: Tensor, scale: np.ndarray, rest: Any, axis: int) -> Value:
        value = Value(tensor, scale, 0, axis)
        if rest is None:
            return value
        shape = [1] * len(tensor.shape)
        shape[axis] = -1
        if isinstance(rest, QTensor):
            rest = QTensor(rest.ints.reshape(shape), np.broadcast_to(rest.scale, rest.ints.shape).reshape(shape))
        else:
            rest = rest.reshape(shape)
        add = onnx.helper.make_node("Add", ["sum", "bias"], [node.output[0]])
        value = value.begun()
        return replace(value, links=(Link(add, "sum", {"bias": rest}),))

    def conv(self, node: onnx.NodeProto, arguments: list[Any]) -> Value:
        x, w, given = self._operand(node, 0), self._weights(node, 1), attributes(node)
        if w.ints.ndim not in (3, 4) or len(x.tensor.shape) != w.ints.ndim:
            raise self._refuse(f"convolves {list(x.tensor.shape)} with {list(w.ints.shape)}; 1-D and 2-D convolutions by constants can be made.")
        window = self._window(given, x.tensor.shape[2:], w.ints.shape[2:])
        scale = _times(x.scale, np.asarray(w.scale).reshape((1, -1) + (1,) * (w.ints.ndim - 2)) if np.size(w.scale) > 1 else w.scale)
        bias, rest = self._bias(node, scale, w.ints, x.zero)
        name = node.output[0]
        y = self.builder.conv(self.place, "Conv", name, x.tensor, w.ints, bias, given.get("group", 1), window, x.zero)
        return self._after(node, y, scale, rest, 1) if x.scale is not None else Value(y)

    def gemm(self, node: onnx.NodeProto, arguments: list[Any]) -> Value:
        given = attributes(node)
        if given.get("alpha", 1.0) != 1.0 or given.get("beta", 1.0) != 1.0 or given.get("transA", 0):
            raise self._refuse("has alpha, beta or transA; write the factors into the weights.")
        w = self._weights(node, 1)
        return self._linear(node, w if given.get("transB", 0) else QTensor(w.ints.T, np.asarray(w.scale).T))

    def matmul(self, node: onnx.NodeProto, arguments: list[Any]) -> Value:
        if isinstance(arguments[1], Value):
            raise self._refuse("multiplies two activations; a product by constants can be made.")
        w = self._weights(node, 1)
        return self._linear(node, QTensor(w.ints.T, np.asarray(w.scale).T))

    def _linear(self, node: onnx.NodeProto, w: QTensor) -> Value:
        """`w` [columns, depth]."""
        x = self._operand(node, 0)
        if w.ints.ndim != 2:
            raise self._refuse(f"multiplies by weights of shape {list(w.ints.shape)}; [depth, columns] can be made.")
        axis = len(x.tensor.shape) - 1
        scale = np.asarray(w.scale)
        if scale.size > 1:
            if scale.size != len(w.ints):
                raise self._refuse("has a scale per input of its weights; use one per output or one for all.")
            scale = scale.reshape([1] * axis + [-1])
        scale = _times(x.scale, scale)
        bias, rest = self._bias(node, scale, w.ints, x.zero)
        y = self.builder.linear(self.place, node.op_type, node.output[0], x.tensor, w.ints, bias)
        return self._after(node, y, scale, rest, axis) if x.scale is not None else Value(y, axis=axis)

    def _window(self, given: dict[str, Any], image, kernel) -> Window:
        options = given.get("strides"), given.get("pads"), given.get("dilations"), given.get("auto_pad", "NOTSET"), given.get("ceil_mode", 0)
        return Window(self.place, image, kernel, *options)

    def max_pool(self, node: onnx.NodeProto, arguments: list[Any]) -> Value:
        """Before or after a quantiser: a staircase that does not fall lets the largest value through."""
        value, given = arguments[0], attributes(node)
        if value.links and (value.other is not None or not value.chain().monotone):
            value = self.integers(value, node.input[0])
        if value.links:
            value = self.rising(value)
        window = self._window(given, value.tensor.shape[2:], given["kernel_shape"])
        if any(d != 1 for d in window.dilation) or not window.whole or len(node.output) > 1:
            raise self._refuse("pools a dilated window, one in the padding alone, or gives indices; use dilation 1 and less padding.")
        y = self.builder.max_pool(self.place, "MaxPool", node.output[0], value.tensor, window)
        if not value.links:
            return replace(value, tensor=y)
        rows = self.builder.pooled_rows(value.rows, window)
        link = Link(onnx.helper.make_node("Pooled", [node.input[0]], [node.output[0]]), node.input[0], {})
        return replace(value, tensor=y, rows=rows, links=(*value.links, link))

    def average_pool(self, node: onnx.NodeProto, arguments: list[Any]) -> Value:
        value, given = self._operand(node, 0), attributes(node)
        image = value.tensor.shape[2:]
        if node.op_type == "ReduceMean":
            axes = given.get("axes") or (np.ravel(arguments[1]).tolist() if len(arguments) > 1 else [])
            if sorted(a % len(value.tensor.shape) for a in axes) != list(range(2, len(value.tensor.shape))):
                raise self._refuse(f"takes the mean over axes {list(axes)}; the mean over all of an image can be made.")
        kernel = given.get("kernel_shape", image)
        window = self._window(given, image, kernel)
        if window.padded or any(d != 1 for d in window.dilation) or value.scale is None:
            raise self._refuse("averages over padding, a dilated window or bare integers; use whole windows of quantised values.")
        size = int(np.prod(kernel))
        y = self.builder.sum_pool(self.place, node.op_type, node.output[0], value.tensor, window)
        found = Value(y, value.scale / size, size * value.zero)
        if node.op_type == "ReduceMean" and not given.get("keepdims", 1):
            return replace(found, tensor=y.view(y.name, y.places.reshape(y.shape[:2])))
        return found

    def add(self, node: onnx.NodeProto, arguments: list[Any]) -> Value:
        a, b = (self._operand(node, i) for i in (0, 1))
        if a.scale is None and b.scale is None or (a.scale is not None and b.scale is not None and _same(a.scale, b.scale)):
            return replace(a, tensor=self.builder.add(self.place, "Add", node.output[0], a.tensor, b.tensor), zero=a.zero + b.zero)
        if a.scale is None or b.scale is None:
            raise self._refuse("adds bare integers to quantised ones; dequantise both.")
        begun = replace(a, other=b).begun()
        return replace(begun, links=(Link(node, node.input[0], {}),))

    def mul(self, node: onnx.NodeProto, arguments: list[Any]) -> Value:
        a, b = (self._centred(self._operand(node, i)) for i in (0, 1))
        y = self.builder.mul(self.place, "Mul", node.output[0], a.tensor, b.tensor)
        return replace(a, tensor=y, scale=None if a.scale is None or b.scale is None else a.scale * b.scale)

    def _centred(self, value: Value) -> Value:
        if not value.zero:
            return value
        zero = Tensor("zero", (1,), -value.zero, -value.zero, np.array([-value.zero]))
        return replace(value, tensor=self.builder.add(self.place, "Add", f"{value.tensor.name}_centred", value.tensor, zero), zero=0)

    def concat(self, node: onnx.NodeProto, arguments: list[Any]) -> Value:
        if not all(isinstance(a, Value) for a in arguments):
            raise self._refuse("joins activations and constants; compute the constants into the weights behind it.")
        values = [self.integers(a, n) for a, n in zip(arguments, node.input)]
        if len({v.zero for v in values}) > 1:
            values = [self._centred(v) for v in values]
        axis = attributes(node)["axis"] % len(values[0].tensor.shape)
        y = self.builder.concat(self.place, "Concat", node.output[0], [v.tensor for v in values], axis)
        if any((v.scale is None) != (values[0].scale is None) for v in values):
            raise self._refuse("joins bare integers and quantised ones; dequantise all.")
        if values[0].scale is None:
            return Value(y)
        scales = [np.broadcast_to(v.scale, v.tensor.shape) for v in values]
        same = all(np.all(s == scales[0].flat[0]) for s in scales)
        return Value(y, np.asarray(scales[0].flat[0]) if same else np.concatenate(scales, axis), values[0].zero)

    def arg_max(self, node: onnx.NodeProto, arguments: list[Any]) -> Value:
        value, given = self._operand(node, 0), attributes(node)
        axis = given.get("axis", 0) % len(value.tensor.shape)
        if given.get("select_last_index", 0):
            raise self._refuse("takes the last index among equals; the first one can be made.")
        y = self.builder.top(self.place, "ArgMax", node.output[0], value.tensor, axis, 1)
        return Value(y if given.get("keepdims", 1) else y.view(y.name, y.places.squeeze(axis)))

    def top_k(self, node: onnx.NodeProto, arguments: list[Any]) -> list[Any]:
        value, given = self._operand(node, 0), attributes(node)
        axis, keep = given.get("axis", -1) % len(value.tensor.shape), int(np.ravel(arguments[1])[0])
        if not given.get("largest", 1) or not 1 <= keep <= value.tensor.shape[axis]:
            raise self._refuse(f"takes {keep} smallest or more values than there are; the 1..{value.tensor.shape[axis]} largest can be made.")
        return [None, Value(self.builder.top(self.place, "TopK", node.output[1], value.tensor, axis, keep))]


_LOWERINGS = {
    "Conv": _Reader.conv,
    "Gemm": _Reader.gemm,
    "MatMul": _Reader.matmul,
    "MaxPool": _Reader.max_pool,
    "AveragePool": _Reader.average_pool,
    "GlobalAveragePool": _Reader.average_pool,
    "ReduceMean": _Reader.average_pool,
    "Add": _Reader.add,
    "Mul": _Reader.mul,
    "Concat": _Reader.concat,
    "ArgMax": _Reader.arg_max,
    "TopK": _Reader.top_k,
}


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """Scales that the integer reference takes as one: float32 products, taken in whatever order the exporter took them."""
    return bool(np.all(np.abs(np.asarray(a) - np.asarray(b)) <= np.abs(np.asarray(a)) * 2.0**-21))


def _times(a: np.ndarray | None, b: Any) -> np.ndarray:
    return np.asarray(b) if a is None else np.asarray(a) * np.asarray(b)
