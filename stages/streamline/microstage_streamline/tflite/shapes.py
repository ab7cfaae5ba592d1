"""Append operators that move integers and leave them as they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from microstage.errors import ModelError
from microstage_streamline.tflite.builder import LAST, RAW, REAL, TfliteBuilder
from microstage_streamline.tflite.file import TfliteOperator, TfliteTensor
from microstage_streamline.tflite.rounding import quantised


def _moved(
    b: TfliteBuilder, sources: list[int], output: int, move: Callable[[list[str], str], str], layout: str = LAST
) -> None:
    """Append a move of values where all have one scale, else of raw integers.

    `move` appends the nodes, from the inputs' names to a new name.
    """
    out = b.activation(output)
    if out.shape[0] != 1:
        raise ModelError(f"answers {list(out.shape)}; expected a batch of 1")
    alike = all(_same(b.activation(source), out) for source in sources)
    if alike:
        move([b.get(source, REAL, layout) for source in sources], b.new(output, REAL, layout))
    elif b.exact:
        move([b.get(source, RAW, layout) for source in sources], b.new(output, RAW, layout))
    else:
        moved = move([b.get(source, REAL, layout) for source in sources], b.fresh(output, "moved"))
        quantised(b, output, moved, layout)


def _same(x: TfliteTensor, out: TfliteTensor) -> bool:
    return x.kind == out.kind and x.scale == out.scale and x.zero == out.zero


def reshape(b: TfliteBuilder, operator: TfliteOperator) -> None:
    output = operator.outputs[0]
    out = b.activation(output)
    if np.prod(out.shape) != np.prod(b.activation(operator.inputs[0]).shape):
        raise ModelError(f"makes {list(out.shape)} of {list(b.activation(operator.inputs[0]).shape)}")
    shape = b.constant(output, "shape", np.array(out.shape, np.int64))
    _moved(b, operator.inputs[:1], output, lambda names, name: b.node("Reshape", [names[0], shape], name))


def transpose(b: TfliteBuilder, operator: TfliteOperator) -> None:
    perm = [int(axis) for axis in b.required(operator, 1)]
    if perm[:1] != [0]:
        raise ModelError(f"moves the batch, by {perm}")
    _moved(b, operator.inputs[:1], operator.outputs[0], lambda names, name: b.node("Transpose", names, name, perm=perm))


def concatenation(b: TfliteBuilder, operator: TfliteOperator) -> None:
    out = b.activation(operator.outputs[0])
    axis, layout = operator.option("axis") % len(out.shape), b.layout(*operator.inputs)
    place = (0, 2, 3, 1)[axis] if layout != LAST else axis
    if b.exact and not all(_same(b.activation(source), out) for source in operator.inputs):
        raise ModelError("joins tensors at another scale than its output's, which TensorFlow Lite Micro refuses")
    if operator.option("fusedActivationFunction"):
        raise ModelError("has a fused activation, which TensorFlow Lite Micro refuses")
    _moved(
        b, operator.inputs, operator.outputs[0], lambda names, name: b.node("Concat", names, name, axis=place), layout
    )


def pad(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append padding with zeros; PADV2 has an integer of its own."""
    amounts, x = b.required(operator, 1).reshape(-1, 2), b.activation(operator.inputs[0])
    stored = [b.constant(operator.outputs[0], "amounts", amounts.T.reshape(-1).astype(np.int64))]
    fill = b.stored(operator, 2)
    if fill is not None and int(fill.reshape(-1)[0]) != x.zero:
        value = np.float32(x.scale * np.float32(int(fill.reshape(-1)[0]) - x.zero))
        stored.append(b.constant(operator.outputs[0], "fill", value))
    _moved(b, operator.inputs[:1], operator.outputs[0], lambda names, name: b.node("Pad", [*names, *stored], name))


def _sliced(b: TfliteBuilder, operator: TfliteOperator, starts: list[int], ends: list[int], steps: list[int]) -> None:
    """Append a slice behind the batch, which is whole."""
    output = operator.outputs[0]
    if (starts[0], ends[0]) != (0, 1):
        raise ModelError("takes a part of the batch")
    parts = {"starts": starts[1:], "ends": ends[1:], "axes": list(range(1, len(starts))), "steps": steps[1:]}
    stored = [b.constant(output, name, np.array(value, np.int64)) for name, value in parts.items()]
    shape, out = b.constant(output, "shape", np.array(b.activation(output).shape, np.int64)), b.fresh(output, "sliced")

    def move(names: list[str], name: str) -> str:
        return b.node("Reshape", [b.node("Slice", [names[0], *stored], out), shape], name)

    _moved(b, operator.inputs[:1], output, move)


def slice_(b: TfliteBuilder, operator: TfliteOperator) -> None:
    starts, sizes = ([int(n) for n in b.required(operator, index)] for index in (1, 2))
    shape = b.activation(operator.inputs[0]).shape
    ends = [size if length < 0 else start + length for size, start, length in zip(shape, starts, sizes)]
    _sliced(b, operator, starts, ends, [1] * len(starts))


def strided_slice(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append a slice as NumPy has it, with masks for ends that are left out and axes that are dropped.

    Neither new axes nor an ellipsis have a form here.
    """
    starts, ends, steps = ([int(n) for n in b.required(operator, index)] for index in (1, 2, 3))
    if operator.option("ellipsisMask") or operator.option("newAxisMask") or any(step < 1 for step in steps):
        raise ModelError("has an ellipsis, a new axis or a negative step")
    shape, masks = (
        b.activation(operator.inputs[0]).shape,
        [operator.option(f"{name}Mask") for name in ("begin", "end", "shrinkAxis")],
    )
    for axis, size in enumerate(shape[: len(starts)]):
        begin, end, dropped = (mask >> axis & 1 for mask in masks)
        starts[axis] = 0 if begin else starts[axis] + size * (starts[axis] < 0)
        ends[axis] = size if end else min(size, ends[axis] + size * (ends[axis] < 0))
        ends[axis], steps[axis] = (starts[axis] + 1, 1) if dropped else (ends[axis], steps[axis])
    _sliced(b, operator, starts, ends, steps)


def split(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append a slice for each output."""
    source, along = (1, 0) if operator.kind == "SPLIT" else (0, 2)  # places of the tensor and the axis
    place, start = operator.inputs[source], 0
    x = b.activation(place)
    axis = int(b.required(operator, along).reshape(-1)[0]) % len(x.shape)
    for output in operator.outputs:
        end = start + b.activation(output).shape[axis]
        part = TfliteOperator(operator.place, "SLICE", [place], [output], None)
        ends = [end if at == axis else size for at, size in enumerate(x.shape)]
        _sliced(b, part, [start if at == axis else 0 for at in range(len(x.shape))], ends, [1] * len(x.shape))
        start = end


def unpack(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append a slice of one place for each output, without its axis."""
    x = b.activation(operator.inputs[0])
    axis = operator.option("axis") % len(x.shape)
    for place, output in enumerate(operator.outputs):
        starts, ends = ([at if axis == along else size for along, size in enumerate(sizes)] for at, sizes in
                        ((place, [0] * len(x.shape)), (place + 1, x.shape)))  # fmt: skip
        part = TfliteOperator(operator.place, "SLICE", [operator.inputs[0]], [output], None)
        _sliced(b, part, starts, ends, [1] * len(x.shape))


def blocks(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append channels as blocks of pixels, or the way back: reshaped, turned, reshaped."""
    x, out, size = b.activation(operator.inputs[0]), b.activation(operator.outputs[0]), operator.option("blockSize", 1)
    _, height, width, depth = x.shape
    if operator.kind == "DEPTH_TO_SPACE":
        sizes, order = [1, height, width, size, size, depth // size**2], [0, 1, 3, 2, 4, 5]
    else:
        sizes, order = [1, height // size, size, width // size, size, depth], [0, 1, 3, 2, 4, 5]
    shapes = [b.constant(out.place, "shape", np.array(shape, np.int64)) for shape in (sizes, out.shape)]
    names = [b.fresh(out.place, what) for what in ("blocks", "turned")]

    def move(sources: list[str], name: str) -> str:
        turned = b.node("Transpose", [b.node("Reshape", [sources[0], shapes[0]], names[0])], names[1], perm=order)
        return b.node("Reshape", [turned, shapes[1]], name)

    _moved(b, operator.inputs[:1], out.place, move)


def gather(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append constant places along one axis."""
    x, out, places = b.activation(operator.inputs[0]), b.activation(operator.outputs[0]), b.required(operator, 1)
    axis = operator.option("axis") % len(x.shape)
    if operator.option("batchDims"):
        raise ModelError("gathers by samples of its own")
    stored = b.constant(out.place, "places", np.asarray(places, np.int64))
    _moved(b, operator.inputs[:1], out.place, lambda names, name: b.node("Gather", [names[0], stored], name, axis=axis))


def tile(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append the tensor again, side by side; a batch stays one."""
    repeats = [int(count) for count in b.required(operator, 1)]
    stored = b.constant(operator.outputs[0], "repeats", np.array(repeats, np.int64))
    _moved(b, operator.inputs[:1], operator.outputs[0], lambda names, name: b.node("Tile", [names[0], stored], name))


def resize_nearest(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append rows and columns again, or leave them out: each output place reads one input place."""
    x, out = b.activation(operator.inputs[0]), b.activation(operator.outputs[0])
    align, half = bool(operator.option("alignCorners")), bool(operator.option("halfPixelCenters"))
    rows = [b.constant(out.place, "places", _nearest(x.shape[axis], out.shape[axis], align, half)) for axis in (1, 2)]
    between = b.fresh(out.place, "rows")

    def move(names: list[str], name: str) -> str:
        return b.node("Gather", [b.node("Gather", [names[0], rows[0]], between, axis=1), rows[1]], name, axis=2)

    _moved(b, operator.inputs[:1], out.place, move)


def _nearest(size: int, wanted: int, align: bool, half: bool) -> np.ndarray:
    """Return the place of the input that each of `wanted` places reads (reference/resize_nearest_neighbor.h)."""
    scale = (
        np.float32(size - 1) / np.float32(wanted - 1) if align and wanted > 1 else np.float32(size) / np.float32(wanted)
    )
    places = (np.arange(wanted, dtype=np.float32) + np.float32(0.5 if half else 0)) * scale
    return np.clip(np.floor(places + np.float32(0.5)) if align else np.floor(places), 0, size - 1).astype(np.int64)


def arg_max(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append the place of the largest, the lowest of equal ones."""
    x = b.activation(operator.inputs[0])
    axis = int(b.required(operator, 1).reshape(-1)[0]) % len(x.shape)
    b.node("ArgMax", [b.get(x.place, REAL)], b.new(operator.outputs[0], RAW), axis=axis, keepdims=0)
