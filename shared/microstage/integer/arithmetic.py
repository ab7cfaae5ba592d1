"""Sums and products: exact on integers, float64 on real numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer import ranges
from microstage.integer.registry import Kind, OperatorTable, everywhere, positive_scale
from microstage.integer.tensor import QTensor, alike, checked, real

TABLE = OperatorTable()

_LARGEST_RATIO = 64


def _is_integer(value: Any) -> bool:
    return isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.integer)


def exact_matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the integer product through float64, which is exact below 2^53.

    The bound is checked on magnitudes, those of either side summed.
    """
    sizes = [np.abs(side).astype(np.float64) for side in (a, b)]
    bounds = [
        sizes[0].max(initial=0) * sizes[1].sum(axis=-2).max(initial=0),
        sizes[1].max(initial=0) * sizes[0].sum(axis=-1).max(initial=0),
    ]
    if min(bounds) >= 2**53:
        raise ModelError("An accumulator may exceed 2^53: the network is too wide for exact evaluation.")
    return np.rint(a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)


@TABLE.entry("MatMul", kind=Kind.PRODUCT, ranges=ranges.of_product)
def matmul(arguments, _):
    """Return a b; the scales of either side multiply, and b may have one for each column."""
    a, b = alike(*arguments)
    if isinstance(a, QTensor) and isinstance(b, QTensor):
        scale = b.scale if np.ndim(b.scale) == 0 else _per_column(b)
        if np.ndim(a.scale) and a.scale.size > 1:
            raise ModelError("the left side of a product has several scales")
        return QTensor(exact_matmul(a.ints, b.ints), np.asarray(a.scale) * scale)
    if _is_integer(a) and _is_integer(b):
        return exact_matmul(a, b)
    return real(a) @ real(b)


def _per_column(matrix: QTensor) -> np.ndarray:
    """Return the scale [..., 1, columns] that all rows of a column share: a sum over rows must not mix scales."""
    scale = np.broadcast_to(matrix.scale, matrix.shape)
    if np.any(scale != scale[..., :1, :]):
        raise ModelError("the right side of a product has several scales in one column")
    return scale[..., :1, :]


@TABLE.entry("XnorPopcountMatMul", kind=Kind.PRODUCT, ranges=ranges.of_popcount)
def xnor_popcount_matmul(arguments, _):
    """Count, of bits 0 and 1, how many of a row of `a` equal those of a column of `b` (qonnx)."""
    a, b = (np.asarray(_plain(value)).astype(np.int64) for value in arguments)
    if any(np.any((value != 0) & (value != 1)) for value in (a, b)):
        raise ModelError("a tensor of bits holds something other than 0 and 1")
    return exact_matmul(a, b) + exact_matmul(1 - a, 1 - b)


def _plain(value):
    """Return the integers of a tensor at scale 1."""
    if not isinstance(value, QTensor):
        return value
    if np.any(np.asarray(value.scale) != 1):
        raise ModelError("bits have no scale")
    return value.ints


@TABLE.entry("Gemm")
def gemm(arguments, attributes):
    """Return a b plus the bias, either side transposed if it says so."""
    a, b, *bias = arguments
    if attributes.get("alpha", 1.0) != 1.0 or attributes.get("beta", 1.0) != 1.0:
        raise ModelError("alpha and beta other than 1 are not supported")
    if attributes.get("transA", 0):
        a = _transposed(a)
    if attributes.get("transB", 0):
        b = _transposed(b)
    product = matmul([a, b], {})
    return add([product, bias[0]], {}) if bias else product


def _transposed(value):
    if isinstance(value, QTensor):
        scale = np.asarray(value.scale)
        return QTensor(value.ints.T, scale.T if scale.ndim == 2 else scale)
    return value.T


@TABLE.entry("Add", kind=Kind.SUM, ranges=ranges.of_pair, rises=everywhere, straight=True)
def add(arguments, _):
    """Return a + b: integers where both have one scale."""
    return _sum(*arguments, sign=1)


@TABLE.entry("Sub", kind=Kind.SUM, ranges=ranges.of_pair, rises=everywhere, straight=True)
def sub(arguments, _):
    """Return a - b: integers where both have one scale."""
    return _sum(*arguments, sign=-1)


def _sum(a, b, sign: int):
    a, b = alike(a, b)
    if isinstance(a, QTensor) and isinstance(b, QTensor) and same_scale(a.scale, b.scale):
        return QTensor(checked(a.ints + sign * b.ints), a.scale)
    if _is_integer(a) and _is_integer(b):
        return checked(a.astype(np.int64) + sign * b.astype(np.int64))
    ratio = small_ratio(a, b)
    if ratio is not None:
        return (ratio[0] * a.ints + sign * ratio[1] * b.ints) * (real(a.scale) / ratio[0])
    a, b = in_one_type(a, b)
    return a + sign * b


def in_one_type(*values: Any) -> list[np.ndarray]:
    """Return real values, each in the widest float type of all.

    Floats that a file stores, or is given, have their own type; all others are float64.
    """
    arrays = [value if isinstance(value, np.ndarray) and value.dtype.kind == "f" else real(value) for value in values]
    kind = np.result_type(*(array.dtype for array in arrays))
    return [array.astype(kind) for array in arrays]


def small_ratio(a, b) -> tuple[int, int] | None:
    """Return p, r where the scales of two tensors are p to r to within what float32 can say.

    They meant p and r then, and p a + r b is whole.
    """
    if not (isinstance(a, QTensor) and isinstance(b, QTensor) and np.size(a.scale) == np.size(b.scale) == 1):
        return None
    s, t = (float(np.asarray(side.scale).reshape(())) for side in (a, b))
    near = Fraction(s / t).limit_denominator(_LARGEST_RATIO)
    small = 0 < near.numerator <= _LARGEST_RATIO and abs(near - Fraction(s / t)) <= Fraction(s / t) / 2**22
    return (near.numerator, near.denominator) if small else None


def same_scale(a, b) -> bool:
    """Tell whether scales are equal to a few parts in 2^23.

    They are float32 products, taken in whatever order the exporter took them.
    """
    return bool(np.all(np.abs(np.asarray(a) - np.asarray(b)) <= np.abs(np.asarray(a)) * 2.0**-21))


@TABLE.entry("Mul", kind=Kind.ELEMENT_PRODUCT, ranges=ranges.of_pair, rises=positive_scale, straight=True)
def mul(arguments, _):
    """Return a b, element by element; the scales multiply."""
    a, b = alike(*arguments)
    if isinstance(a, QTensor) and isinstance(b, QTensor):
        return QTensor(checked(a.ints * b.ints), np.asarray(a.scale) * np.asarray(b.scale))
    if _is_integer(a) and _is_integer(b):
        return checked(a.astype(np.int64) * b.astype(np.int64))
    a, b = in_one_type(a, b)
    return a * b


@TABLE.entry("Div", kind=Kind.MONOTONE, rises=positive_scale, straight=True)
def div(arguments, _):
    a, b = in_one_type(*arguments)
    return a / b


@TABLE.entry("Relu", kind=Kind.MONOTONE, rises=everywhere)
def relu(arguments, _):
    value = arguments[0]
    if isinstance(value, QTensor):
        return QTensor(np.maximum(value.ints, 0), value.scale)
    return np.maximum(value, value.dtype.type(0))


@TABLE.entry("Sigmoid", kind=Kind.MONOTONE, rises=everywhere)
def sigmoid(arguments, _):
    return 1.0 / (1.0 + np.exp(-real(arguments[0])))


@TABLE.entry("Tanh", kind=Kind.MONOTONE, rises=everywhere)
def tanh(arguments, _):
    return np.tanh(real(arguments[0]))


@TABLE.entry("BatchNormalization", kind=Kind.MONOTONE, axes=lambda flags, shape, rank: {1}, straight=True)
def batch_normalization(arguments, attributes):
    """Return (x - mean) / sqrt(variance + epsilon) * gamma + beta, in this order; channels are axis 1."""
    x = real(arguments[0])
    shape = (1, -1) + (1,) * (x.ndim - 2)
    gamma, beta, mean, variance = (np.asarray(v, np.float64).reshape(shape) for v in arguments[1:])
    epsilon = float(np.float32(attributes.get("epsilon", 1e-5)))
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta
