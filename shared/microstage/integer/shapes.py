"""Operators that move values without changing them."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage.integer import ranges
from microstage.integer.registry import Kind, OperatorTable, everywhere
from microstage.integer.tensor import QTensor, alike, narrowed, real

TABLE = OperatorTable()


def moved(value, move):
    """Apply a rearrangement to a tensor whose scale, if it has several, moves along."""
    if not isinstance(value, QTensor):
        return move(np.asarray(value))
    if np.size(value.scale) == 1:
        return QTensor(move(value.ints), value.scale)
    return QTensor(move(value.ints), narrowed(move(np.broadcast_to(value.scale, value.shape))))


@TABLE.entry("Identity", "Dropout", kind=Kind.MONOTONE, rises=everywhere, straight=True)
def identity(arguments, _):
    """Return x."""
    return arguments[0]


_CASTS = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    4: np.uint16,
    5: np.int16,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
    12: np.uint32,
    13: np.uint64,
}


@TABLE.entry("Cast", kind=Kind.MONOTONE, rises=everywhere, straight=True, turns=lambda flags, _: flags["to"] == 9)
def cast(arguments, attributes):
    """Convert to another type; what is true is 1.

    To integers, a tensor at scale 1 is its integers; any other that carries a scale keeps it.
    """
    value, kind = arguments[0], _CASTS.get(attributes["to"])
    if kind is None:
        raise ModelError(f"cast to ONNX type {attributes['to']} is not supported")
    if isinstance(value, QTensor):
        whole = np.issubdtype(kind, np.integer) and np.all(np.asarray(value.scale) == 1)
        return value.ints != 0 if kind is np.bool_ else value.ints.astype(kind) if whole else value
    value = np.asarray(value)
    if value.dtype.kind == "b" and np.issubdtype(kind, np.floating):
        return QTensor(value.astype(np.int64), np.float64(1))
    return value.astype(kind)


@TABLE.entry("Transpose", kind=Kind.MOVES)
def transpose(arguments, attributes):
    """Return x with its axes in another order, by default reversed."""
    value = arguments[0]
    order = attributes.get("perm", tuple(range(len(value.shape)))[::-1])
    if sorted(order) != list(range(len(value.shape))):
        raise ModelError(f"{list(order)} is no order of {len(value.shape)} axes")
    return moved(value, lambda a: np.transpose(a, order))


@TABLE.entry("Reshape", kind=Kind.MOVES)
def reshape(arguments, attributes):
    """Return the values in another shape: 0 keeps a size, -1 takes what is left."""
    value, shape = arguments
    wanted = [value.shape[i] if n == 0 and not attributes.get("allowzero", 0) else int(n) for i, n in enumerate(shape)]
    return moved(value, lambda a: a.reshape(wanted))


@TABLE.entry("Flatten", kind=Kind.MOVES)
def flatten(arguments, attributes):
    """Return a matrix: the axes before `axis` are its rows."""
    value, axis = arguments[0], attributes.get("axis", 1)
    return moved(value, lambda a: a.reshape(int(np.prod(value.shape[:axis])), -1))


def _axes(arguments, attributes):
    axes = arguments[1] if len(arguments) > 1 and arguments[1] is not None else attributes.get("axes")
    return None if axes is None else tuple(int(axis) for axis in axes)


@TABLE.entry("Squeeze", kind=Kind.MOVES)
def squeeze(arguments, attributes):
    """Return x without axes of size 1: those that are named, or all."""
    axes = _axes(arguments, attributes)
    return moved(arguments[0], lambda a: np.squeeze(a, axes))


@TABLE.entry("Unsqueeze", kind=Kind.MOVES)
def unsqueeze(arguments, attributes):
    """Return x with axes of size 1 at the places that are named."""
    axes = _axes(arguments, attributes)
    return moved(arguments[0], lambda a: np.expand_dims(a, axes))


@TABLE.entry("Concat", kind=Kind.MOVES)
def concat(arguments, attributes):
    """Return integers where all are, each at its scale; real numbers where some are."""
    arguments = alike(*arguments)
    axis = attributes["axis"]
    if not all(isinstance(value, QTensor) for value in arguments):
        mixed = any(isinstance(value, QTensor) for value in arguments)
        return np.concatenate([real(value) if mixed else np.asarray(value) for value in arguments], axis)
    scales = [np.broadcast_to(value.scale, value.shape) for value in arguments]
    joined = np.concatenate([value.ints for value in arguments], axis)
    same = all(np.array_equal(scales[0].flat[0:1], s.flat[0:1]) and np.ptp(s) == 0 for s in scales)
    return QTensor(joined, np.float64(scales[0].flat[0]) if same else narrowed(np.concatenate(scales, axis)))


@TABLE.entry("Split", kind=Kind.MOVES)
def split(arguments, attributes):
    """Return x cut into parts of given sizes along an axis."""
    value, axis = arguments[0], attributes.get("axis", 0)
    sizes = arguments[1] if len(arguments) > 1 else attributes["split"]
    ends = np.cumsum(sizes)[:-1]
    parts = len(sizes)
    if np.min(sizes) < 0 or np.sum(sizes) != value.shape[axis]:
        raise ModelError(f"{np.asarray(sizes).tolist()} are no sizes of the parts of an axis of {value.shape[axis]}")
    return tuple(moved(value, lambda a, k=k: np.split(a, ends, axis)[k]) for k in range(parts))


@TABLE.entry("Slice", kind=Kind.MOVES)
def slice_(arguments, _):
    """Return x from start to end in steps, along each axis that is named."""
    value, starts, ends, *rest = arguments
    axes = rest[0] if rest and rest[0] is not None else range(len(starts))
    steps = rest[1] if len(rest) > 1 else np.ones(len(starts), int)
    index = [slice(None)] * len(value.shape)
    for axis, start, end, step in zip(axes, starts, ends, steps):
        index[int(axis)] = slice(int(start), int(end), int(step))
    return moved(value, lambda a: a[tuple(index)])


@TABLE.entry("Gather", kind=Kind.MOVES)
def gather(arguments, attributes):
    """Take along a constant index, or of a constant table by an integer tensor, as sigmoid and tanh are read."""
    value, index = arguments
    if isinstance(index, QTensor):
        raise ModelError("a table is read by integers, not by a scaled tensor")
    axis = attributes.get("axis", 0)
    size = value.shape[axis]
    if np.any((np.asarray(index) < -size) | (np.asarray(index) >= size)):
        raise ModelError(f"an index is outside a table of {size} entries")
    return moved(value, lambda a: np.take(a, np.asarray(index, np.int64), axis))


def _turns_round(_, constants) -> bool:
    steps = np.diff(real(constants[0]))
    return bool((steps > 0).any() and (steps < 0).any())


@TABLE.entry("Lookup", kind=Kind.MONOTONE, axes=lambda flags, shape, rank: set(), turns=_turns_round)
def lookup(arguments, _):
    """Return table[index], as sigmoid and tanh are read."""
    index, table = arguments
    return gather([table, index], {})


@TABLE.entry("Pad", kind=Kind.MOVES)
def pad(arguments, attributes):
    """Add [before, behind] to every axis; a constant stands around, or the tensor's own values do."""
    value, amounts = arguments[0], np.asarray(arguments[1]).reshape(2, -1).T
    mode, fill = (
        attributes.get("mode", "constant"),
        arguments[2] if len(arguments) > 2 and arguments[2] is not None else 0,
    )
    if mode != "constant":
        return moved(value, lambda a: np.pad(a, amounts, "symmetric" if mode == "symmetric" else mode))
    around = lambda a, filled: np.pad(a, amounts, constant_values=np.asarray(filled).reshape(()))  # noqa: E731
    if not isinstance(value, QTensor):
        return around(np.asarray(value), real(fill) if isinstance(fill, QTensor) else fill)
    if not np.any(real(fill)):
        return moved(value, lambda a: around(a, 0))
    if isinstance(fill, QTensor) and np.array_equal(fill.scale, value.scale):
        return moved(value, lambda a: around(a, fill.ints))
    return around(real(value), real(fill))


@TABLE.entry("ArgMax", kind=Kind.ORDER, ranges=ranges.of_place)
def arg_max(arguments, attributes):
    """Return the place of the largest; the lowest index wins a tie, or the highest."""
    value, axis = arguments[0], attributes.get("axis", 0)
    ints = (
        value.ints
        if isinstance(value, QTensor) and np.size(value.scale) == 1
        else real(value)
        if isinstance(value, QTensor)
        else value
    )
    if attributes.get("select_last_index", 0):
        found = ints.shape[axis] - 1 - np.argmax(np.flip(ints, axis), axis)
    else:
        found = np.argmax(ints, axis)
    return np.expand_dims(found, axis) if attributes.get("keepdims", 1) else found


@TABLE.entry("TopK", kind=Kind.ORDER, ranges=ranges.of_largest)
def top_k(arguments, attributes):
    """Return (values, places) of the k largest, in falling order (also where any order is allowed).

    Of equal ones the lowest place comes first.
    """
    value, count = arguments[0], int(np.asarray(arguments[1]).reshape(-1)[0])
    if not attributes.get("largest", 1):
        raise ModelError("TopK of the smallest is that of the largest of -x")
    axis, one_scale = attributes.get("axis", -1), isinstance(value, QTensor) and np.size(value.scale) == 1
    ints = (
        value.ints if one_scale else value if np.issubdtype(getattr(value, "dtype", float), np.integer) else real(value)
    )
    places = np.argsort(-ints, axis, kind="stable").take(range(count), axis)
    found = np.take_along_axis(ints, places, axis)
    return (QTensor(found, value.scale) if one_scale else found), places
