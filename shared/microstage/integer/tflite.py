"""Operators of a graph that was read from a .tflite file.

They do what TensorFlow Lite Micro's reference kernels make of integers.

They stand in the cleaned graph alone, as functions of accumulators that become thresholds; `IntegerSoftmax` is in the
integer graph as well. Inputs at a scale are read as their integers, which are centred: less their zero point.
"""

from __future__ import annotations

import numpy as np

from microstage.integer import gemmlowp
from microstage.integer.ranges import of_type
from microstage.integer.registry import Kind, OperatorTable, everywhere
from microstage.integer.tensor import QTensor

__all__ = ["TABLE", "softmax"]

TABLE = OperatorTable()


def _integers(value) -> np.ndarray:
    return np.asarray(value.ints if isinstance(value, QTensor) else value, np.int64)


def _spread(constant, axis: int, rank: int) -> np.ndarray:
    flat = np.asarray(constant, np.int64).reshape(-1)
    return flat.reshape(()) if flat.size == 1 else flat.reshape([-1 if place == axis else 1 for place in range(rank)])


def _along_its_axis(attributes, shape, rank: int) -> set[int]:
    return {attributes["axis"] % rank}


@TABLE.entry("TfliteRequantize", kind=Kind.MONOTONE, axes=_along_its_axis, rises=everywhere)
def requantize(arguments, attributes):
    """Return clip(x multiplier 2^(shift - 31) + zero point, low, high), rounded twice.

    That is MultiplyByQuantizedMultiplier.
    """
    x, *constants = arguments
    ints = _integers(x)
    multiplier, shift = (_spread(value, attributes["axis"] % ints.ndim, ints.ndim) for value in constants)
    return _within(gemmlowp.scaled(ints, multiplier, shift), attributes)


def _within(x, attributes) -> np.ndarray:
    return np.clip(x + attributes["zero_point"], attributes["low"], attributes["high"])


def _of_rows(attributes, shape, rank: int) -> set[int]:
    return {attributes["axis"] % rank} if shape[0] > 1 else set()


def _turns(_, constants) -> bool:
    """Tell whether some row rises and falls."""
    steps = np.diff(np.asarray(constants[0], np.int64), axis=1)
    return bool(((steps > 0).any(axis=1) & (steps < 0).any(axis=1)).any())


@TABLE.entry("TfliteTable", kind=Kind.MONOTONE, axes=_of_rows, turns=_turns)
def table(arguments, attributes):
    """Return rows[channel, x - low]."""
    x, rows = _integers(arguments[0]), np.asarray(arguments[1], np.int64)
    channels = _spread(np.arange(len(rows)), attributes["axis"] % x.ndim, x.ndim) if len(rows) > 1 else 0
    return rows[channels, x - attributes["low"]]


@TABLE.entry("TfliteAverage", kind=Kind.MONOTONE, rises=everywhere)
def average(arguments, attributes):
    """Return the sum of `count` integers, centred by `zero_point`, divided, rounded half away from zero."""
    count = attributes["count"]
    total = _integers(arguments[0]) + attributes["zero_point"] * count
    mean = np.sign(total) * ((np.abs(total) + count // 2) // count)
    return np.clip(mean, attributes["low"], attributes["high"])


@TABLE.entry("TfliteAdd", kind=Kind.SUM, rises=everywhere)
def add(arguments, attributes):
    """Lift both terms by `left_shift` bits to one scale, add or (`sign` -1) subtract them, go to the output's scale."""
    lifted = [_integers(value) << attributes["left_shift"] for value in arguments]
    terms = [gemmlowp.scaled(x, *attributes[name]) for x, name in zip(lifted, ("first", "second"))]
    return _within(gemmlowp.scaled(terms[0] + attributes["sign"] * terms[1], *attributes["scale"]), attributes)


def _of_fraction(node, known, _) -> dict:
    """Return any level of the softmax's output."""
    return {node.output[0]: of_type(list(known[node.input[0]].low.shape), -128, 127)}


@TABLE.entry("IntegerSoftmax", kind=Kind.FIXED, ranges=_of_fraction)
def softmax(arguments, attributes):
    """Return the softmax over the last axis, int8 to int8 at scale 1/256 and zero point -128.

    As reference/softmax.h: exp of the differences to the largest, each multiplied by `input_multiplier`
    2^(`input_left_shift` - 31) and 0 below `diff_min`; their sum in 12 integer bits; its reciprocal.
    """
    x = _integers(arguments[0])
    difference = x - x.max(-1, keepdims=True)
    counts = difference >= attributes["diff_min"]
    kept = np.where(counts, difference, 0)
    exponentials = gemmlowp.exp_on_negative(
        gemmlowp.scaled(kept, attributes["input_multiplier"], attributes["input_left_shift"])
    )
    total = np.where(counts, gemmlowp.divided(exponentials, 12), 0).sum(-1, keepdims=True)
    headroom = 32 - np.frexp(total)[1].astype(np.int64)
    reciprocal = gemmlowp.one_over_one_plus((total << headroom) - (1 << 31))
    found = gemmlowp.divided(gemmlowp.high_product(reciprocal, exponentials), 12 - headroom + 31 - 8)
    return np.clip(np.where(counts, found - 128, -128), -128, 127)
