"""One lowering per operator of a streamlined FINN-ONNX graph: node in, tensors out, at most a few layers in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer import gemmlowp
from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.program.stages import Search
from microstage_cbackend.program.wide import requantisation
from microstage_cbackend.program.windows import Window
from microstage_cbackend.read.builder import ProgramBuilder

__all__ = ["LOWERINGS", "MOVES", "ReadNode", "lowers"]

LOWERINGS: dict[str, Callable[[ReadNode], list[Tensor]]] = {}
"Operator name -> its lowering. A new operator is a function here and, if no kernel does it yet, a method of ProgramBuilder and a kernel."


@dataclass
class ReadNode:
    """What a lowering is given; `place` begins every error sentence."""

    builder: ProgramBuilder
    operator: str
    place: str
    inputs: list[Tensor | None]
    attributes: dict[str, Any]
    outputs: list[str]

    def refuse(self, reason: str) -> ModelError:
        return ModelError(f"{self.place} {reason}")

    def attribute(self, name: str, default: Any) -> Any:
        """Attribute `name` as a Python number, string or list, or `default`."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def has(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] is not None

    def constant(self, index: int, what: str) -> np.ndarray:
        """Integers of constant input `index`, an int64 array; `ModelError` where it is not constant."""
        if not self.has(index) or self.inputs[index].data is None:
            raise self.refuse(f"has no constant {what}; fold it into an initialiser.")
        return self.inputs[index].data

    @property
    def name(self) -> str:
        return self.outputs[0]

    def window(self, image, kernel, strides: str = "strides", pads: str = "pads") -> Window:
        """Its sliding window, by its attributes."""
        given = self.attribute(strides, None), self.attribute(pads, None), self.attribute("dilations", None)
        return Window(
            self.place, image, kernel, *given, self.attribute("auto_pad", "NOTSET"), self.attribute("ceil_mode", 0)
        )


def lowers(*operators: str) -> Callable:
    """Register a lowering for `operators`."""

    def register(function: Callable[[ReadNode], list[Tensor]]) -> Callable:
        LOWERINGS.update(dict.fromkeys(operators, function))
        return function

    return register


def _flatten(node: ReadNode, places: np.ndarray) -> list[np.ndarray]:
    axis = node.attribute("axis", 1)
    axis += places.ndim if axis < 0 else 0
    return [places.reshape(prod(places.shape[:axis]), prod(places.shape[axis:]))]


def _reshape(node: ReadNode, places: np.ndarray) -> list[np.ndarray]:
    wanted = [int(d) for d in node.constant(1, "shape").ravel()]
    wanted = [places.shape[i] if d == 0 else d for i, d in enumerate(wanted)]
    known = prod(d for d in wanted if d != -1)
    shape = tuple(places.size // known if d == -1 else d for d in wanted)
    if prod(shape) != places.size:
        raise node.refuse(f"turns {places.size} values into shape {list(shape)}; the sizes must agree.")
    return [places.reshape(shape)]


def _axes(node: ReadNode, default: list[int]) -> list[int]:
    return [int(a) for a in node.constant(1, "axes").ravel()] if node.has(1) else list(node.attribute("axes", default))


def _squeeze(node: ReadNode, places: np.ndarray) -> list[np.ndarray]:
    axes = _axes(node, [i for i, d in enumerate(places.shape) if d == 1])
    if any(places.shape[a] != 1 for a in axes):
        raise node.refuse(f"drops axes {axes} of {list(places.shape)}; only axes of size 1 can go.")
    return [places.squeeze(tuple(axes))]


def _unsqueeze(node: ReadNode, places: np.ndarray) -> list[np.ndarray]:
    return [np.expand_dims(places, tuple(_axes(node, [])))]


def _transpose(node: ReadNode, places: np.ndarray) -> list[np.ndarray]:
    return [places.transpose(node.attribute("perm", list(reversed(range(places.ndim)))))]


def _split(node: ReadNode, places: np.ndarray) -> list[np.ndarray]:
    axis, count = node.attribute("axis", 0) % places.ndim, len(node.outputs)
    pieces = [int(n) for n in node.constant(1, "split").ravel()] if node.has(1) else list(node.attribute("split", []))
    size = places.shape[axis]
    pieces = pieces or [-(-size // count)] * (count - 1) + [size - (count - 1) * -(-size // count)]
    if sum(pieces) != size or len(pieces) != count or min(pieces) < 1:
        raise node.refuse(f"splits an axis of {size} into {pieces}; the pieces must add up to the axis.")
    return np.split(places, np.cumsum(pieces)[:-1], axis)


def _slice(node: ReadNode, places: np.ndarray) -> list[np.ndarray]:
    starts, ends = (node.constant(i, what).ravel() for i, what in ((1, "starts"), (2, "ends")))
    axes = node.constant(3, "axes").ravel() if node.has(3) else range(len(starts))
    steps = node.constant(4, "steps").ravel() if node.has(4) else [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps):
        index = [slice(None)] * places.ndim
        index[int(axis)] = slice(int(start), int(end), int(step))
        places = places[tuple(index)]
    if not places.size:
        raise node.refuse("takes nothing; a slice must hold a value.")
    return [places]


def _gather(node: ReadNode, places: np.ndarray) -> list[np.ndarray]:
    index, axis = node.constant(1, "places"), node.attribute("axis", 0)
    return [np.take(places, index, axis)]


MOVES: dict[str, Callable[[ReadNode, np.ndarray], list[np.ndarray]]] = {
    "Identity": lambda node, places: [places],
    "Dropout": lambda node, places: [places],
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
}
"Operators that only move values: places of the input's elements in memory -> places of each output's. They cost nothing."


@lowers(*MOVES)
def move(node: ReadNode) -> list[Tensor]:
    x = node.inputs[0]
    return [x.view(name, places) for name, places in zip(node.outputs, MOVES[node.operator](node, x.places))]


@lowers("MatMul")
def matmul(node: ReadNode) -> list[Tensor]:
    """Rows of x times a constant matrix."""
    x, weights = node.inputs[0], node.constant(1, "right-hand matrix")
    if weights.ndim != 2 or x.data is not None or x.shape[-1] != weights.shape[0]:
        raise node.refuse(
            f"multiplies {list(x.shape)} by {list(weights.shape)}; values [..., depth] by constants [depth, columns] can be made."
        )
    return [node.builder.linear(node.place, node.operator, node.name, x, weights.T)]


@lowers("XnorPopcountMatMul")
def xnor_popcount(node: ReadNode) -> list[Tensor]:
    """How many bits of a row of x equal those of a constant column: their product with -1 for 0, plus the column's zeros."""
    x, bits = node.inputs[0], node.constant(1, "right-hand matrix")
    if bits.ndim != 2 or x.data is not None or x.shape[-1] != bits.shape[0]:
        raise node.refuse(
            f"compares {list(x.shape)} with {list(bits.shape)}; bits [..., depth] with constants [depth, columns] can be made."
        )
    if x.low < 0 or x.high > 1 or not np.isin(bits, (0, 1)).all():
        raise node.refuse(f"compares values {x.low}..{x.high} with {bits.min()}..{bits.max()}; only 0 and 1 are bits.")
    zeros = (1 - bits).sum(axis=0)
    return [node.builder.linear(node.place, node.operator, node.name, x, 2 * bits.T - 1, zeros)]


@lowers("Gemm")
def gemm(node: ReadNode) -> list[Tensor]:
    """Rows of x times a constant matrix, plus constants."""
    if node.attribute("alpha", 1.0) != 1.0 or node.attribute("beta", 1.0) != 1.0 or node.attribute("transA", 0):
        raise node.refuse("has alpha, beta or transA; write the factors into the weights.")
    weights = node.constant(1, "weights")
    weights = weights if node.attribute("transB", 0) else weights.T
    bias = np.broadcast_to(node.constant(2, "bias").ravel(), len(weights)).copy() if node.has(2) else None
    return [node.builder.linear(node.place, node.operator, node.name, node.inputs[0], weights, bias)]


@lowers("Conv")
def conv(node: ReadNode) -> list[Tensor]:
    """1-D or 2-D, channels first in the graph."""
    x, weights = node.inputs[0], node.constant(1, "weights")
    if weights.ndim not in (3, 4) or len(x.shape) != weights.ndim or x.data is not None:
        raise node.refuse(
            f"convolves {list(x.shape)} with {list(weights.shape)}; 1-D and 2-D convolutions by constants can be made."
        )
    bias = node.constant(2, "bias") if node.has(2) else None
    window = node.window(x.shape[2:], weights.shape[2:])
    return [
        node.builder.conv(node.place, node.operator, node.name, x, weights, bias, node.attribute("group", 1), window)
    ]


@lowers("Im2Col")
def im2col(node: ReadNode) -> list[Tensor]:
    """Patches of a channels-last image, ordered (kernel_h, kernel_w, channels); a matrix product behind it makes a convolution of it."""
    x, kernel = node.inputs[0], node.attribute("kernel_size", [])
    if len(x.shape) != 4 or len(kernel) != 2:
        raise node.refuse(
            f"takes patches of shape {kernel} from {list(x.shape)}; [1, height, width, channels] can be made."
        )
    window = node.window(x.shape[1:3], kernel, "stride", "pad_amount")
    return [node.builder.patches(node.place, node.operator, node.name, x, window, node.attribute("pad_value", 0))]


@lowers("MaxPool", "MaxPoolNHWC")
def max_pool(node: ReadNode) -> list[Tensor]:
    """The largest value of each window; channels first, or last for MaxPoolNHWC."""
    x, last = node.inputs[0], node.operator == "MaxPoolNHWC"
    if len(node.outputs) > 1:
        raise node.refuse("gives indices too; leave them out.")
    first = x.view(x.name, np.moveaxis(x.places, -1, 1)) if last else x
    window = node.window(first.shape[2:], node.attribute("kernel_shape", []))
    if any(d != 1 for d in window.dilation) or not window.whole:
        raise node.refuse(
            "pools a dilated window or one that lies in the padding alone; use dilation 1 and less padding."
        )
    y = node.builder.max_pool(node.place, node.operator, node.name, first, window)
    return [y.view(node.name, np.moveaxis(y.places, 1, -1)) if last else y]


@lowers("Add")
def add(node: ReadNode) -> list[Tensor]:
    return [node.builder.add(node.place, node.operator, node.name, *node.inputs)]


@lowers("Mul")
def mul(node: ReadNode) -> list[Tensor]:
    return [node.builder.mul(node.place, node.operator, node.name, *node.inputs)]


@lowers("MultiThreshold")
def multi_threshold(node: ReadNode) -> list[Tensor]:
    """y = out_bias + out_scale * number of thresholds reached; the channel axis is that of `data_layout`."""
    x, thresholds = node.inputs[0], np.sort(node.constant(1, "thresholds"), axis=-1)
    scale, bias = node.attribute("out_scale", 1.0), node.attribute("out_bias", 0.0)
    if scale != int(scale) or bias != int(bias):
        raise node.refuse(f"scales its output by {scale} and shifts it by {bias}; only integers can stay in the graph.")
    search = Search(thresholds, int(scale), int(bias))
    if max(map(abs, search.ends)) >= 2**31:
        raise node.refuse(
            f"gives values {search.ends[0]}..{search.ends[1]}; the kernel counts in 32 bits, use a smaller scale or bias."
        )
    axis = _channel_axis(node, x)
    channels = x.shape[axis] if axis < len(x.shape) else 1
    if len(thresholds) not in (1, channels):
        raise node.refuse(
            f"has {len(thresholds)} rows of thresholds for {channels} channels; give one row, or one per channel."
        )
    return [
        node.builder.search(
            node.place, node.operator, node.name, x, _row_of(len(thresholds), axis, len(x.shape)), search
        )
    ]


@lowers("Requantize")
def requantize(node: ReadNode) -> list[Tensor]:
    """clip((x * multiplier + addend) >> shift, low, high), one row or one for each channel along `axis`."""
    x, constants = (
        node.inputs[0],
        [node.constant(i, what).ravel() for i, what in ((1, "multiplier"), (2, "addend"), (3, "shift"))],
    )
    numbers = [
        node.attribute(name, default) for name, default in (("low", None), ("high", None), ("ties", 0), ("lift", 0))
    ]
    rows = max(map(len, constants))
    stage = requantisation(*(np.broadcast_to(c, rows) for c in constants), *numbers, max(abs(x.low), abs(x.high)))
    if stage is None:
        raise node.refuse(f"multiplies {x.low}..{x.high} by {constants[0].max()}, which needs more than 84 bits.")
    axis = node.attribute("axis", 1) % len(x.shape)
    if rows not in (1, x.shape[axis]):
        raise node.refuse(f"has {rows} multipliers for {x.shape[axis]} channels; give one, or one per channel.")
    return [node.builder.line(node.place, node.operator, node.name, x, _row_of(rows, axis, len(x.shape)), stage)]


@lowers("Table")
def table(node: ReadNode) -> list[Tensor]:
    """table[x - low], one row for all or, as one table over another, one for each channel along `axis`."""
    x, rows = node.inputs[0], node.constant(1, "table")
    if len(rows) > 1:
        raise node.refuse("has a table for each channel; one for all can be made.")
    return [node.builder.table(node.place, node.operator, node.name, x, rows[0], node.attribute("low", 0))]


@lowers("IntegerSoftmax")
def softmax(node: ReadNode) -> list[Tensor]:
    """TensorFlow Lite Micro's, over the last axis; the exponential of every difference is known beforehand."""
    x, flags = (
        node.inputs[0],
        [node.attribute(name, 0) for name in ("input_multiplier", "input_left_shift", "diff_min")],
    )
    differences = -np.arange(min(x.high - x.low, -flags[2]) + 1)
    exponentials = gemmlowp.exp_on_negative(gemmlowp.scaled(differences, *flags[:2]))
    return [node.builder.softmax(node.place, node.operator, node.name, x, exponentials, node.attribute("bits", 8))]


def _row_of(rows: int, axis: int, rank: int) -> np.ndarray:
    """Which row an element takes, to be broadcast to its tensor."""
    return np.zeros(1, np.int64) if rows == 1 else np.arange(rows).reshape([-1] + [1] * (rank - axis - 1))


def _channel_axis(node: ReadNode, x: Tensor) -> int:
    layout = node.attribute("data_layout", "") or {2: "NC", 3: "NWC", 4: "NCHW"}.get(len(x.shape), "")
    return layout.index("C") if "C" in layout else 1


@lowers("Concat")
def concat(node: ReadNode) -> list[Tensor]:
    axis = node.attribute("axis", 0) % len(node.inputs[0].shape)
    return [node.builder.concat(node.place, node.operator, node.name, node.inputs, axis)]


@lowers("Pad")
def pad(node: ReadNode) -> list[Tensor]:
    """One value around a tensor."""
    x = node.inputs[0]
    if node.attribute("mode", "constant") != "constant":
        raise node.refuse(f"pads by mode {node.attribute('mode', '')}; a constant around it can be made.")
    pads = node.constant(1, "amounts").reshape(2, -1)
    fill = int(node.constant(2, "fill").ravel()[0]) if node.has(2) else 0
    return [node.builder.pad(node.place, node.operator, node.name, x, pads, fill)]


@lowers("AveragePool", "GlobalAveragePool")
def refuse_average(node: ReadNode) -> list[Tensor]:
    raise node.refuse(
        "divides integers, which says no rounding; give the sum of a convolution with ones to a MultiThreshold."
    )


@lowers("ArgMax")
def arg_max(node: ReadNode) -> list[Tensor]:
    """The lowest index among equals, or the highest."""
    x = node.inputs[0]
    axis = node.attribute("axis", 0) % len(x.shape)
    y = node.builder.top(node.place, node.operator, node.name, x, axis, 1, node.attribute("select_last_index", 0))
    return [y if node.attribute("keepdims", 1) else y.view(node.name, y.places.squeeze(axis))]


@lowers("TopK")
def top_k(node: ReadNode) -> list[Tensor | None]:
    """Places of the k largest values (the second output), and the values there."""
    x = node.inputs[0]
    axis, keep = node.attribute("axis", -1) % len(x.shape), int(node.constant(1, "count").ravel()[0])
    if not node.attribute("largest", 1) or not 1 <= keep <= x.shape[axis]:
        raise node.refuse(
            f"takes {keep} smallest or more values than there are; the 1..{x.shape[axis]} largest can be made."
        )
    x = node.builder.dense(node.place, x)
    y = node.builder.top(node.place, node.operator, node.outputs[-1], x, axis, keep)
    return [node.builder.taken(node.place, node.operator, node.name, x, y, axis), y]


@lowers("Max", "Min")
def extreme(node: ReadNode) -> list[Tensor]:
    """Side by side, the window of both: max(a, b); min(a, b) = -max(-a, -b)."""
    builder, shape = node.builder, np.broadcast_shapes(*(x.shape for x in node.inputs))
    minus = Tensor(f"{node.name}_sign", (1,) * len(shape), -1, -1, np.full((1,) * len(shape), -1))
    turn = lambda x, name: builder.mul(node.place, node.operator, name, x, minus) if node.operator == "Min" else x  # noqa: E731
    sides = []
    for x in node.inputs:
        whole = x.view(x.name, np.broadcast_to(x.places, shape))
        turned = turn(whole, f"{node.name}_{len(sides)}")
        sides.append(turned.view(turned.name, turned.places.reshape(1, -1, 1)))
    both = builder.concat(node.place, node.operator, f"{node.name}_sides", sides, 2)
    y = builder.max_pool(
        node.place,
        node.operator,
        f"{node.name}_most" if node.operator == "Min" else node.name,
        both,
        Window(node.place, [2], [2]),
    )
    return [turn(y.view(y.name, y.places.reshape(shape)), node.name)]
