"""One lowering per ONNX, QONNX or FINN operator: node in, tensors out, at most a few kernel calls in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage_cbackend.ir import Layer, Part, Tensor

__all__ = ["LOWERINGS", "Node", "dense_steps", "lowers", "merge"]

LOWERINGS: dict[str, Callable[[Node], list[Tensor]]] = {}
"Operator name -> its lowering. A new operator is a function here and, if no kernel does it yet, a file in kernels/."


@dataclass
class Node:
    """What a lowering is given; `place` begins every error sentence."""

    part: Part
    operator: str
    place: str
    inputs: list[Tensor]
    attributes: dict[str, Any]
    outputs: list[str]

    def refuse(self, reason: str) -> ModelError:
        return ModelError(f"{self.place} {reason}")

    def attribute(self, name: str, default: Any) -> Any:
        """Attribute `name` as a Python number, string or list, or `default`."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def constant(self, index: int, what: str) -> np.ndarray:
        """Integers of constant input `index`, an int64 array; `ModelError` where it is not constant."""
        if index >= len(self.inputs) or self.inputs[index].data is None:
            raise self.refuse(f"has no constant {what}; fold it into an initialiser.")
        return self.inputs[index].data

    def layer(
        self, kernel: str, inputs: list[Tensor], output: Tensor, shape: dict, accumulator: str = "", remark: str = ""
    ) -> list[Tensor]:
        """Append one kernel call that fills `output`."""
        name = self.place.removeprefix("Node ").split(" ")[0]
        self.part.layers.append(Layer(name, self.operator, kernel, inputs, output, shape, accumulator, remark))
        return [output]


def lowers(*operators: str) -> Callable:
    """Register a lowering for `operators`."""

    def register(function: Callable[[Node], list[Tensor]]) -> Callable:
        LOWERINGS.update(dict.fromkeys(operators, function))
        return function

    return register


@lowers("Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze")
def view(node: Node) -> list[Tensor]:
    """The same integers under another shape: no code."""
    x = node.inputs[0]
    shape = _SHAPES[node.operator](node, x.shape)
    if prod(shape) != x.size:
        raise node.refuse(f"turns {x.size} values into shape {list(shape)}; the sizes must agree.")
    return [x.view(node.outputs[0], shape)]


def _flatten(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    axis = node.attribute("axis", 1) % (len(shape) + 1)
    return prod(shape[:axis]), prod(shape[axis:])


def _reshape(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    wanted = [int(d) for d in node.constant(1, "shape").ravel()]
    wanted = [shape[i] if d == 0 else d for i, d in enumerate(wanted)]
    known = prod(d for d in wanted if d != -1)
    return tuple(prod(shape) // known if d == -1 else d for d in wanted)


def _axes(node: Node, default: list[int]) -> list[int]:
    if len(node.inputs) > 1:
        return [int(a) for a in node.constant(1, "axes").ravel()]
    return node.attribute("axes", default)


def _squeeze(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    axes = {a % len(shape) for a in _axes(node, [i for i, d in enumerate(shape) if d == 1])}
    return tuple(d for i, d in enumerate(shape) if i not in axes)


def _unsqueeze(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    axes = _axes(node, [])
    rank = len(shape) + len(axes)
    rest, new = iter(shape), {a % rank for a in axes}
    return tuple(1 if i in new else next(rest) for i in range(rank))


_SHAPES: dict[str, Callable[[Node, tuple[int, ...]], tuple[int, ...]]] = {
    "Identity": lambda node, shape: shape,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
}


@lowers("MultiThreshold")
def multi_threshold(node: Node) -> list[Tensor]:
    """y = out_bias + out_scale * number of thresholds reached; the channel axis is that of `data_layout`."""
    x, thresholds = node.inputs[0], np.sort(node.constant(1, "thresholds"), axis=-1)
    scale, bias = node.attribute("out_scale", 1.0), node.attribute("out_bias", 0.0)
    if scale != int(scale) or bias != int(bias):
        raise node.refuse(f"scales its output by {scale} and shifts it by {bias}; only integers can stay in the graph.")
    rows, levels = thresholds.shape
    axis = _channel_axis(node, x)
    channels = x.shape[axis] if axis < len(x.shape) else 1
    if rows not in (1, channels):
        raise node.refuse(f"has {rows} rows of thresholds for {channels} channels; give one row, or one per channel.")
    ends = int(bias), int(bias + scale * levels)
    if max(map(abs, ends)) >= 2**31:
        raise node.refuse(f"gives values {ends[0]}..{ends[1]}; the kernel counts in 32 bits, use a smaller scale or bias.")
    y = Tensor(node.outputs[0], x.shape, min(ends), max(ends))
    t = Tensor(node.inputs[1].name, thresholds.shape, node.inputs[1].low, node.inputs[1].high, thresholds)
    shape = {"outer": prod(x.shape[:axis]), "channels": channels, "inner": prod(x.shape[axis + 1 :])}
    shape |= {"rows": rows, "levels": levels, "scale": int(scale), "bias": int(bias)}
    return node.layer("ms_threshold", [x, t], y, shape, remark=f"{levels} thresholds")


def _channel_axis(node: Node, x: Tensor) -> int:
    layout = node.attribute("data_layout", "") or {2: "NC", 3: "NWC", 4: "NCHW"}.get(len(x.shape), "")
    return layout.index("C") if "C" in layout else 1


@lowers("Transpose")
def transpose(node: Node) -> list[Tensor]:
    """A copy with permuted steps, or a view where only axes of size 1 move."""
    x = node.inputs[0]
    order = node.attribute("perm", list(reversed(range(len(x.shape)))))
    shape = tuple(x.shape[a] for a in order)
    moved = [a for a in order if x.shape[a] != 1]
    if moved == sorted(moved):
        return [x.view(node.outputs[0], shape)]
    steps = dense_steps(x.shape)
    return _copy(node, x, Tensor(node.outputs[0], shape, x.low, x.high), shape, 0, [steps[a] for a in order], 0, dense_steps(shape))


@lowers("Split")
def split(node: Node) -> list[Tensor]:
    """One copy per piece."""
    x, axis = node.inputs[0], node.attribute("axis", 0) % len(node.inputs[0].shape)
    pieces = node.attribute("split", [])
    if len(node.inputs) > 1:
        pieces = [int(n) for n in node.constant(1, "split").ravel()]
    count = len(node.outputs)
    pieces = pieces or [-(-x.shape[axis] // count)] * (count - 1) + [x.shape[axis] - (count - 1) * -(-x.shape[axis] // count)]
    if sum(pieces) != x.shape[axis] or len(pieces) != count:
        raise node.refuse(f"splits an axis of {x.shape[axis]} into {pieces}; the pieces must add up to the axis.")
    starts = np.cumsum([0, *pieces[:-1]])
    return [_window(node, x, name, axis, int(start), size) for name, start, size in zip(node.outputs, starts, pieces)]


@lowers("Slice")
def slice_(node: Node) -> list[Tensor]:
    """One copy per axis, with steps of 1."""
    x, result = node.inputs[0], node.inputs[0]
    starts, ends = (node.constant(i, what).ravel() for i, what in ((1, "starts"), (2, "ends")))
    axes = node.constant(3, "axes").ravel() if len(node.inputs) > 3 else range(len(starts))
    if len(node.inputs) > 4 and np.any(node.constant(4, "steps") != 1):
        raise node.refuse("slices with a step other than 1; take every value and select in a later layer.")
    for axis, start, end in zip((int(a) % len(x.shape) for a in axes), starts, ends):
        first, last, _ = slice(int(start), int(end)).indices(x.shape[axis])
        if last <= first:
            raise node.refuse(f"takes nothing from axis {axis}; a slice must hold a value.")
        result = _window(node, result, node.outputs[0], axis, first, last - first)
    return [result]


def _window(node: Node, x: Tensor, name: str, axis: int, start: int, size: int) -> Tensor:
    shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
    if shape == x.shape:
        return x.view(name, shape)
    steps = dense_steps(x.shape)
    return _copy(node, x, Tensor(name, shape, x.low, x.high), shape, start * steps[axis], steps, 0, dense_steps(shape))[0]


@lowers("Concat")
def concat(node: Node) -> list[Tensor]:
    """One copy per operand into the output."""
    first, axis = node.inputs[0], node.attribute("axis", 0) % len(node.inputs[0].shape)
    shape = (*first.shape[:axis], sum(x.shape[axis] for x in node.inputs), *first.shape[axis + 1 :])
    y = Tensor(node.outputs[0], shape, min(x.low for x in node.inputs), max(x.high for x in node.inputs))
    steps, start = dense_steps(shape), 0
    for x in node.inputs:
        _copy(node, x, y, x.shape, 0, dense_steps(x.shape), start * steps[axis], steps)
        start += x.shape[axis]
    return [y]


def _copy(node: Node, x: Tensor, y: Tensor, size, x_start: int, x_step, y_start: int, y_step) -> list[Tensor]:
    size, (x_step, y_step) = merge(node, size, [x_step, y_step])
    shape = {"size": size, "x_start": x_start, "x_step": x_step, "y_start": y_start, "y_step": y_step}
    return node.layer("ms_copy", [x], y, shape)


def dense_steps(shape: tuple[int, ...]) -> list[int]:
    """Elements between neighbours along each axis of a dense tensor."""
    return [prod(shape[i + 1 :]) for i in range(len(shape))]


def merge(node: Node, size, steps: list[list[int]]) -> tuple[list[int], list[list[int]]]:
    """The same walk with axes of size 1 dropped and joined where every operand runs on, padded to four axes."""
    axes: list[tuple[int, tuple[int, ...]]] = []
    for length, *step in zip(size, *steps):
        if length == 1:
            continue
        if axes and all(outer == inner * length for outer, inner in zip(axes[-1][1], step)):
            axes[-1] = (axes[-1][0] * length, tuple(step))
        else:
            axes.append((int(length), tuple(step)))
    if len(axes) > 4:
        raise node.refuse("moves data along more than four axes at once; split it into two nodes.")
    axes = [(1, (0,) * len(steps))] * (4 - len(axes)) + axes
    return [n for n, _ in axes], [[int(step[i]) for _, step in axes] for i in range(len(steps))]

