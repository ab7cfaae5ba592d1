"""Tell how large a node's tensors are and how much it computes, before any of it is computed.

By rules of our own for the operators that can make more values than they read: onnx's shape inference, which is C++,
ends the process on graphs that mean harm. What no rule foresees, the cap on memory ends (microstage.untrusted.limits).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from microstage.untrusted.limits import MOST_COMPUTED, MOST_LOOKED_AT, MOST_STORED
from microstage_streamline.graph.graph import MalformedModel, Node

__all__ = ["NodeSize", "sizes_of"]

Shape = Sequence[int]


@dataclass(frozen=True)
class NodeSize:
    """Values that a node holds at once, and multiplications that it needs, of one sample."""

    values: int = 1
    work: int = 0


@dataclass(frozen=True)
class _NodeInputs:
    """A node and what is known of its inputs; a `LookupError` or `TypeError` for what is not."""

    node: Node
    known: Mapping[str, Any]

    def shape(self, place: int) -> Shape:
        value = self.known[self.node.inputs[place]]
        return np.shape(getattr(value, "ints", value))

    def numbers(self, place: int) -> list[Any]:
        """Return a constant that says sizes."""
        return np.asarray(self.known[self.node.inputs[place]]).reshape(-1).tolist()

    def flag(self, name: str, default: Any = None) -> Any:
        return self.node.flags.get(name, default)


def sizes_of(node: Node, known: Mapping[str, Any], stored: bool) -> NodeSize:
    """Return what a node's inputs and attributes tell of its sizes; `MalformedModel` for what is too large to be made.

    `stored`: it makes constants of constants.
    """
    read = _NodeInputs(node, known)
    try:
        shape = [int(size) for size in _SHAPES[node.op](read)]
        window, work = _WINDOWS.get(node.op, _nothing)(read), _WORK.get(node.op, _nothing)(read, shape)
    except (ArithmeticError, LookupError, TypeError, ValueError):  # who runs the node says what is wrong with it
        return NodeSize()
    if min(shape, default=0) < 0:
        return NodeSize()
    if math.prod(shape) > (most := MOST_STORED if stored else MOST_COMPUTED):
        what = "constant" if stored else "tensor"
        raise MalformedModel(f"{node} makes a {what} of shape {shape}; at most {most} values can be held.")
    if (looked_at := math.prod(shape) * max(1, window)) > MOST_LOOKED_AT:
        said = f"looks at {looked_at} values of its windows; at most {MOST_LOOKED_AT} can be held"
        raise MalformedModel(f"{node} {said}.")
    return NodeSize(max(1, looked_at), work)


def _nothing(*_: Any) -> int:
    return 0


def _broadcast(read: _NodeInputs) -> Shape:
    return np.broadcast_shapes(*(read.shape(place) for place, name in enumerate(read.node.inputs) if name))


def _product(read: _NodeInputs) -> Shape:
    a, b = read.shape(0), read.shape(1)
    return [*np.broadcast_shapes(a[:-2], b[:-2]), *a[-2:-1], b[-1]]


def _gemm(read: _NodeInputs) -> Shape:
    return [read.shape(0)[1 if read.flag("transA") else 0], read.shape(1)[0 if read.flag("transB") else 1]]


def _kernel(read: _NodeInputs) -> Shape:
    return read.shape(1)[2:] if read.node.op in ("Conv", "ConvTranspose") else read.flag("kernel_shape")


def _steps(read: _NodeInputs) -> tuple[Shape, Shape, Shape, Shape]:
    """Return (kernel, strides, dilations, padding in sum), along each axis."""
    kernel = _kernel(read)
    ones, pads = [1] * len(kernel), read.flag("pads") or [0] * (2 * len(kernel))
    around = [before + after for before, after in zip(pads, pads[len(kernel) :])]
    return kernel, read.flag("strides") or ones, read.flag("dilations") or ones, around


def _windows(read: _NodeInputs) -> Shape:
    """Return the shape behind a convolution or a pool; automatic pads give no more places than the image has."""
    x = read.shape(0)
    channels = read.shape(1)[0] if read.node.op == "Conv" else x[1]
    if read.flag("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID", "NOTSET", "VALID"):
        return [x[0], channels, *x[2:]]
    each = zip(x[2:], *_steps(read))
    return [
        x[0],
        channels,
        *((size + around - apart * (taps - 1) - 1) // step + 1 for size, taps, step, apart, around in each),
    ]


def _transposed(read: _NodeInputs) -> Shape:
    x, channels = read.shape(0), read.shape(1)[1] * read.flag("group", 1)
    if read.flag("output_shape"):
        return [x[0], channels, *read.flag("output_shape")]
    longer = read.flag("output_padding") or [0] * len(x[2:])
    image = [
        (size - 1) * step + apart * (taps - 1) + 1 - around + more
        for size, taps, step, apart, around, more in zip(x[2:], *_steps(read), longer)
    ]
    return [x[0], channels, *image]


def _resized(read: _NodeInputs) -> Shape:
    places = range(1, len(read.node.inputs))
    given = [read.numbers(place) for place in reversed(places) if read.node.inputs[place]]
    chosen = next(numbers for numbers in given if numbers)
    sizes = all(isinstance(number, int) for number in chosen)
    return chosen if sizes else [size * scale for size, scale in zip(read.shape(0), chosen)]


def _padded(read: _NodeInputs) -> Shape:
    pads = read.numbers(1) if len(read.node.inputs) > 1 else read.flag("pads")
    x = read.shape(0)
    if len(pads) != 2 * len(x):  # of some axes alone
        return [max(0, size) + sum(map(abs, pads)) for size in x]
    return [size + before + after for size, before, after in zip(x, pads, pads[len(x) :])]


def _joined(read: _NodeInputs) -> Shape:
    shapes, axis = [read.shape(place) for place in range(len(read.node.inputs))], read.flag("axis")
    return [*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis:][1:]]


def _gathered(read: _NodeInputs) -> Shape:
    x, axis = read.shape(0), read.flag("axis", 0)
    return [*x[:axis], *read.shape(1), *x[axis:][1:]]


def _unrolled(read: _NodeInputs) -> Shape:
    """Return the shape of qonnx's Im2Col, of channels last: at most one window for each place of the padded image."""
    around = sum(read.flag("pad_amount", [0]))
    n, *image, channels = read.shape(0)
    return [n, *(size + around for size in image), channels * math.prod(read.flag("kernel_size"))]


def _expanded(read: _NodeInputs) -> Shape:
    """Return the shape that Expand makes; one that NumPy could not hold as it is asked for."""
    wanted = read.numbers(1)
    return wanted if math.prod(wanted) > MOST_STORED else np.broadcast_shapes(read.shape(0), tuple(wanted))


def _counted(read: _NodeInputs) -> Shape:
    start, limit, step = (read.numbers(place)[0] for place in range(3))
    return [max(0, math.ceil((limit - start) / step))]


_SHAPES: dict[str, Callable[[_NodeInputs], Shape]] = {
    "MatMul": _product, "XnorPopcountMatMul": _product, "Gemm": _gemm, "ConvTranspose": _transposed,
    "Resize": _resized, "Upsample": _resized, "Pad": _padded, "Concat": _joined, "Gather": _gathered,
    "Im2Col": _unrolled, "Range": _counted, "Expand": _expanded,
    "GatherElements": lambda read: read.shape(1), "ConstantOfShape": lambda read: read.numbers(0),
    "OneHot": lambda read: [*read.shape(0), read.numbers(1)[0]],
    "Tile": lambda read: [size * count for size, count in zip(read.shape(0), read.numbers(1))],
    **dict.fromkeys(("RandomNormal", "RandomUniform"), lambda read: read.flag("shape")),
    **dict.fromkeys(("Conv", "MaxPool", "AveragePool", "LpPool"), _windows),
    **dict.fromkeys((
        "Add", "Sub", "Mul", "Div", "Pow", "Mod", "Min", "Max", "Sum", "Mean", "Where", "And", "Or", "Xor", "Equal",
        "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "PRelu", "Quant", "QuantLevels", "LessZeroPoint",
        "BipolarQuant", "Rescale",
    ), _broadcast),
}  # fmt: skip
_WINDOWS = dict.fromkeys(("Conv", "MaxPool", "AveragePool", "LpPool"), lambda read: math.prod(_kernel(read)))
_WORK = {
    "Conv": lambda read, shape: math.prod(shape) * math.prod(read.shape(1)[1:]),
    "ConvTranspose": lambda read, shape: math.prod(read.shape(0)) * math.prod(read.shape(1)[1:]),
    "MatMul": lambda read, shape: math.prod(shape) * read.shape(0)[-1],
    "Gemm": lambda read, shape: math.prod(shape) * read.shape(0)[0 if read.flag("transA") else 1],
}
