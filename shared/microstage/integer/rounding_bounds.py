"""What float32 may make of real operators: the exact value, and ends that it cannot leave (running error analysis).

Each operator turns the ends of its inputs into ends of its output, value by value (Higham, Accuracy and Stability of Numerical
Algorithms, chapters 2 and 3), with u = 2^-24:

    one correctly rounded operation     u |result|; nothing where the inputs are certain and the result is a float32
    a sum of K products, in any order   (K + 4) u sum|x_i w_i| (Jeannerod and Rump 2013, for every K), and what the inputs bring;
                                        nothing where every partial sum is a whole multiple, below 2^24, of one power of two
    batch norm, averages                as sums: 8 u (|x a| + |mean a| + |beta|) with a = gamma / sqrt(variance + epsilon)
    a function                          its `STATED` error, at both ends
    a quantiser                         its own levels at both ends, and never more than one step away

Nothing is said of underflow. The exact value is the reference's own, in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from microstage.errors import ModelError
from microstage.integer.interpreter import attributes, run_node
from microstage.integer.tensor import QTensor, real

__all__ = ["STATED", "UNIT", "Bounded", "bound", "fan_in", "unexplained"]

UNIT = 2.0**-24
_SLACK = 2.0**-44  # of the largest value: float64's own roundings, a millionth of float32's
_NEAREST = 1 + 2.0**-20  # a product of several (1 + u), to the first order

STATED: dict[str, tuple[float, float]] = {
    "Sigmoid": (0, 5),
    "Tanh": (10, 0),
    "Exp": (3, 0),
    "Erf": (3, 0),
}
"""{operator: (a, b)}: float32 is within u (a |result| + b). Twice the largest error of onnxruntime 1.14.1 and 1.25.1 (MLAS) at four
million float32 values of either sign, found on 2026-11-29: 2.34 absolute, and 4.66, 1.24, 1.35 relative. tests/shared measures again."""


@dataclass(frozen=True)
class Bounded:
    """`exact` as the reference has it; `low` <= what float32 made of it <= `high`, arrays of the same shape."""

    exact: Any
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def certain(cls, value: Any) -> Bounded:
        """A value that is there as it is: integers, or floats that a file stores."""
        ends = real(value) if isinstance(value, QTensor) or np.asarray(value).dtype.kind == "f" else np.asarray(value)
        return cls(value, ends, ends)

    @classmethod
    def in_float32(cls, value: Any, roundings: int = 1) -> Bounded:
        """A value that is handed over as a float32, rounded so many times until it was one."""
        wide = isinstance(value, QTensor) and np.abs(value.ints).max(initial=0) >= 2**24
        return _rounded(cls.certain(value), roundings + wide)

    @property
    def size(self) -> np.ndarray:
        """The largest magnitude."""
        return np.maximum(np.abs(self.low), np.abs(self.high)).astype(np.float64)

    @property
    def radius(self) -> np.ndarray:
        """How far from exact."""
        exact = real(self.exact)
        return np.maximum(np.maximum(self.high - exact, exact - self.low), 0.0)

    @property
    def is_certain(self) -> np.ndarray:
        """Where float32 holds the exact value."""
        return (self.low == self.high) & (self.low == real(self.exact))


def bound(nodes: Iterable[onnx.NodeProto], given: Mapping[str, Bounded]) -> dict[str, Bounded]:
    """Every tensor that `nodes`, in an order in which they can be run, compute from those `given`; `ModelError` for an operator without a rule."""
    values = dict(given)
    for node in nodes:
        if node.op_type not in _RULES:
            raise ModelError(f"{node.op_type} -> {node.output[0]} has no rounding bound")
        found = _RULES[node.op_type](node, [values[name] if name else None for name in node.input])
        values.update(zip(node.output, found))
    return values


def unexplained(expected: Any, found: np.ndarray, bounded: Bounded) -> np.ndarray:
    """Where `found`, real values or levels, or `expected` itself, lies beyond the ends."""
    ours, found = real(expected), np.asarray(found, np.float64)
    slack = _SLACK * max(np.abs(ours).max(initial=0), bounded.size.max(initial=0))
    outside = [~((bounded.low - slack <= value) & (value <= bounded.high + slack)) for value in (ours, found)]
    return outside[0] | outside[1]


def fan_in(node: onnx.NodeProto, shapes: Sequence[Sequence[int]]) -> int:
    """Products that one output of a MatMul, Gemm or Conv sums; `shapes` are those of its inputs."""
    if node.op_type == "Conv":
        return int(np.prod(shapes[1][1:]))
    turned = node.op_type == "Gemm" and attributes(node).get("transA", 0)
    return int(shapes[0][0 if turned else -1])


_RULES: dict[str, Callable[[onnx.NodeProto, list[Bounded]], list[Bounded]]] = {}


def _rule(*operators: str):
    def register(function):
        _RULES.update(dict.fromkeys(operators, function))
        return function

    return register


def _run(node: onnx.NodeProto, arguments: Sequence[Any]) -> list[Any]:
    """The node's outputs on other arguments than its own."""
    copy = onnx.NodeProto.FromString(node.SerializeToString())
    names = [f"{place}" if value is not None else "" for place, value in enumerate(arguments)]
    del copy.input[:]
    copy.input.extend(names)
    return list(run_node(copy, dict(zip(names, arguments))).values())


def _side(arguments: Sequence[Bounded | None], side: str) -> list[Any]:
    return [argument and getattr(argument, side) for argument in arguments]


def _between(exact: Any, *ends: Any) -> Bounded:
    """The exact value, between the least and the greatest of it and of `ends`."""
    values = np.broadcast_arrays(real(exact), *(real(end) for end in ends))
    return Bounded(exact, np.minimum.reduce(values), np.maximum.reduce(values))


def _within(exact: Any, radius: np.ndarray) -> Bounded:
    return Bounded(exact, real(exact) - radius, real(exact) + radius)


def _rounded(value: Bounded, times: int = 1) -> Bounded:
    """The result of one correctly rounded operation, or of so many of that size."""
    exact = real(value.exact)
    wide = times * UNIT * _NEAREST * ~(value.is_certain & (exact.astype(np.float32) == exact))
    return Bounded(value.exact, value.low - wide * np.abs(value.low), value.high + wide * np.abs(value.high))


@_rule("Identity", "Dropout", "Cast", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Concat", "Split", "Slice", "Gather", "Pad",
       "MaxPool", "MaxPoolNHWC", "Im2Col", "Relu", "Clip", "Min", "Max")
def _each_end(node, arguments):
    """Values that are moved about, chosen or looked up: no rounding."""
    exact, low, high = (_run(node, _side(arguments, side)) for side in ("exact", "low", "high"))
    return [_between(*values) if np.asarray(values[1]).dtype.kind == "f" else Bounded(*values) for values in zip(exact, low, high)]


@_rule("ArgMax", "TopK")
def _places(node, arguments):
    """Places, for which no rounding is an excuse: integers of one scale are in the same order as their floats."""
    return [Bounded.certain(value) for value in _run(node, _side(arguments, "exact"))]


@_rule("DequantizeLinear", "Rescale", "Neg", "LeakyRelu", "PRelu")
def _at_both_ends(node, arguments):
    """One rounding of a function that never turns round."""
    (exact,), *ends = (_run(node, _side(arguments, side)) for side in ("exact", "low", "high"))
    return [_rounded(_between(exact, *(end for (end,) in ends)))]


@_rule("Add", "Sub", "Mul", "Div")
def _corners(node, arguments):
    """One rounding of what is monotone in either argument. Scales that the reference takes as equal may differ in their last bits."""
    a, b = arguments
    operation = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}[node.op_type]
    (exact,) = _run(node, _side(arguments, "exact"))
    return [_rounded(_between(exact, *(operation(x.astype(np.float64), y) for x in (a.low, a.high) for y in (b.low, b.high))))]


@_rule(*STATED)
def _stated(node, arguments):
    (exact,), *ends = (_run(node, _side(arguments, side)) for side in ("exact", "low", "high"))
    found, (relative, absolute) = _between(exact, *(end for (end,) in ends)), STATED[node.op_type]
    wide = UNIT * _NEAREST * (relative * found.size + absolute)
    return [Bounded(exact, found.low - wide, found.high + wide)]


@_rule("MatMul", "Gemm", "Conv")
def _product(node, arguments):
    x, w, *bias = [argument for argument in arguments if argument is not None]
    (exact,) = _run(node, _side([x, w, *bias], "exact"))
    (size,) = _run(node, [x.size, w.size, *(b.size for b in bias)])
    radius = (fan_in(node, [x.low.shape, w.low.shape]) + 4) * UNIT * size
    radius = np.where(_sums_are_exact([x, w], bias, size), 0.0, radius)
    for left, right in ((x.radius, w.size), (x.size, w.radius)):
        if left.any() and right.any():
            radius = radius + real(_run(node, [left, right])[0])
    for b in bias:
        radius = radius + _run(node, [np.zeros_like(x.size), w.size, b.radius])[0]
    return [_within(exact, radius)]


@_rule("AveragePool", "GlobalAveragePool")
def _average(node, arguments):
    (x,) = arguments
    (exact,), (size,), (brought,) = (_run(node, [value]) for value in (x.exact, x.size, x.radius))
    count = int(np.prod(attributes(node).get("kernel_shape", x.low.shape[2:])))
    halving = count & (count - 1) == 0  # a division that only moves the exponent
    radius = np.where(halving & _sums_are_exact([x], [], size * count), 0.0, (count + 4) * UNIT * size)
    return [_within(exact, radius + brought)]


@_rule("BatchNormalization")
def _norm(node, arguments):
    """Whether (x - mean) a + beta or, as onnxruntime has it, x a + (beta - mean a): at most 8 roundings of any term."""
    x, gamma, beta, mean, variance = arguments
    (exact,) = _run(node, _side(arguments, "exact"))
    nought = np.zeros_like(x.size)
    size = _run(node, [x.size, gamma.size, beta.size, -mean.size, variance.low])[0]
    brought = np.abs(_run(node, [x.radius, gamma.size, np.zeros_like(beta.size), np.zeros_like(mean.size), variance.low])[0])
    return [_within(exact, 8 * UNIT * size + brought + nought)]


@_rule("QuantizeLinear", "Quant", "BipolarQuant", "Trunc", "MultiThreshold")
def _quantiser(node, arguments):
    """Its levels at the ends; a division by the scale is one rounding, a zero point that is added before rounding another."""
    x, *rest = arguments
    wide = np.zeros_like(x.size)
    if node.op_type not in ("BipolarQuant", "MultiThreshold"):
        wide = _before_rounding(node, x, rest)
    (exact,) = _run(node, _side(arguments, "exact"))
    ends = [real(_run(node, [end, *_side(rest, "exact")])[0]) for end in (x.low - wide, x.high + wide)]
    step = _step(node, rest)
    near = [np.clip(end, real(exact) - step, real(exact) + step) for end in ends]
    found = _between(exact, *near)
    return [found if node.op_type == "QuantizeLinear" else _rounded(found, 2 if node.op_type == "MultiThreshold" else 1)]


def _before_rounding(node, x: Bounded, rest) -> np.ndarray:
    """How far from the input's ends a quantiser's own quotient may be."""
    scale = np.abs(_along(node, rest[0].low, x.low.ndim))
    shift = rest[1].size if node.op_type != "QuantizeLinear" and len(rest) > 1 else np.zeros(())
    quotient = real(x.exact) / scale
    exact = x.is_certain & (quotient.astype(np.float32) == quotient) & ((quotient + shift).astype(np.float32) == quotient + shift)
    return np.where(exact, 0.0, UNIT * _NEAREST * ((1 + (shift != 0)) * x.size + scale * shift))


def _step(node, rest) -> np.ndarray | float:
    """From one level to the next."""
    if node.op_type == "MultiThreshold":
        return abs(attributes(node).get("out_scale", 1.0))
    if node.op_type == "QuantizeLinear":
        return 1.0
    one_bit = node.op_type == "BipolarQuant" or node.op_type == "Quant" and attributes(node)["signed"] and np.all(rest[2].low == 1)
    return (2 if one_bit else 1) * np.abs(rest[0].low)


def _along(node, parameter: np.ndarray, rank: int) -> np.ndarray:
    """A quantiser's parameter, to be broadcast to a tensor of `rank`."""
    if node.op_type != "QuantizeLinear" or parameter.ndim != 1 or parameter.size == 1:
        return parameter
    shape = [1] * rank
    shape[attributes(node).get("axis", 1)] = parameter.size
    return parameter.reshape(shape)


def _sums_are_exact(factors: Sequence[Bounded], bias: Sequence[Bounded], size: np.ndarray) -> np.ndarray:
    """Where every partial sum is a float32: whole multiples, below 2^24, of the power of two that divides each product and each bias."""
    if not all(value.is_certain.all() for value in (*factors, *bias)):
        return np.zeros(size.shape, bool)
    grid = np.prod([_grid(real(value.exact)) for value in factors])
    return size < 2.0**24 * min([grid, *(_grid(real(value.exact)) for value in bias)])


def _grid(values: np.ndarray) -> float:
    """The largest power of two of which each value is a whole multiple; infinite for zeros."""
    mantissa, exponent = np.frexp(values[values != 0])
    if not mantissa.size:
        return np.inf
    whole = (mantissa * 2.0**53).astype(np.int64)
    return float(np.ldexp((whole & -whole).astype(np.float64), exponent - 53).min())
