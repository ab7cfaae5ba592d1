"""One rule for each kind of real operator: the ends of its output from those of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx

from microstage.integer.interpreter import attributes, run_node
from microstage.integer.rounding_bounds.bounded import NEAREST, UNIT, Bounded, between, rounded, within
from microstage.integer.tensor import real

__all__ = ["RULES", "STATED", "each_end", "fan_in", "monotone", "places"]

RULES: dict[str, Callable[[onnx.NodeProto, list[Bounded | None]], list[Bounded]]] = {}

STATED: dict[str, tuple[float, float, float]] = {
    "Sigmoid": (0, 5, 0),
    "Tanh": (10, 0, 0),
    "Exp": (3, 0, 0),
    "Erf": (3, 0, 0),
    "Elu": (2, 2, 0),
    "Celu": (2, 2, 0),
    "Selu": (4, 4, 0),
    "HardSigmoid": (1, 2, 0),
    "Softplus": (10, 0, 0),
    "Softsign": (5, 0, 0),
    "Log": (7, 0, 0),
    "Atan": (9, 0, 0),
    "Asin": (15, 0, 0),
    "Acos": (10, 0, 0),
    "Sin": (5, 0, 0),
    "Cos": (0, 3, 0),
    "HardSwish": (0, 0, 4),
    "Gelu": (0, 0, 7),
    "FastGelu": (0, 0, 7),
    "QuickGelu": (0, 0, 6),
    "Swish": (0, 0, 6),
    "Mish": (0, 0, 11),
}
"""{operator: (a, b, c)}: float32 is within u (a |result| + b (1, and the size of each attribute) + c |argument|).

At least twice the largest error of onnxruntime 1.14.1 and 1.25.1 (MLAS), of those that it has, found on 2026-11-29 at
float32 values of either sign: four million for Sigmoid, Tanh, Exp and Erf, 600,000 for the others; tests/shared
measures again.
"""


def fan_in(node: onnx.NodeProto, shapes: Sequence[Sequence[int]]) -> int:
    """Return the products that one output of a MatMul, Gemm or Conv sums; `shapes` are those of its inputs."""
    if node.op_type == "Conv":
        return int(np.prod(shapes[1][1:]))
    turned = node.op_type == "Gemm" and attributes(node).get("transA", 0)
    return int(shapes[0][0 if turned else -1])


def _rule(*operators: str):
    def register(function):
        RULES.update(dict.fromkeys(operators, function))
        return function

    return register


def _run(node: onnx.NodeProto, arguments: Sequence[Any]) -> list[Any]:
    """Return the node's outputs on other arguments than its own."""
    copy = onnx.NodeProto.FromString(node.SerializeToString())
    names = [f"{place}" if value is not None else "" for place, value in enumerate(arguments)]
    del copy.input[:]
    copy.input.extend(names)
    return list(run_node(copy, dict(zip(names, arguments))).values())


def _side(arguments: Sequence[Bounded | None], side: str) -> list[Any]:
    return [argument and getattr(argument, side) for argument in arguments]


@_rule(
    "Identity",
    "Dropout",
    "Cast",
    "Gather",
    "Lookup",
    "Relu",
    "Clip",
    "Min",
    "Max",
    "XnorPopcountMatMul",
    "Neg",
    "Sign",
    "Round",
    "Floor",
    "Ceil",
    "ThresholdedRelu",
    "Not",
    "And",
    "Or",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
)
def each_end(node, arguments):
    """Return values that are moved about, chosen or looked up: no rounding."""
    sides = zip(*(_run(node, _side(arguments, side)) for side in ("exact", "low", "high")))
    return [between(*ends) if np.asarray(ends[1]).dtype.kind == "f" else Bounded(*ends) for ends in sides]


def places(node, arguments):
    """Return places, for which no rounding is an excuse.

    Integers of one scale are in the same order as their floats.
    """
    return [Bounded.certain(value) for value in _run(node, _side(arguments, "exact"))]


@_rule("DequantizeLinear", "LessZeroPoint", "Rescale")
def _one_product(node, arguments):
    return [rounded(_at_both_ends(node, arguments))]


def monotone(node, arguments):
    """Return the bounds of a function of which no more is known than that it never turns round: four roundings."""
    return [rounded(_at_both_ends(node, arguments), 4)]


def _at_both_ends(node, arguments) -> Bounded:
    (exact,), *ends = (_run(node, _side(arguments, side)) for side in ("exact", "low", "high"))
    return between(exact, *(end for (end,) in ends))


@_rule("Add", "Sub", "Mul", "Div")
def _corners(node, arguments):
    """Bound one rounding of what is monotone in either argument.

    A sum's scales, equal to the reference, may differ a bit.
    """
    a, b = arguments
    operation = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}[node.op_type]
    (exact,) = _run(node, _side(arguments, "exact"))
    corners = [operation(left.astype(np.float64), right) for left in (a.low, a.high) for right in (b.low, b.high)]
    return [rounded(between(exact, *corners))]


@_rule(*STATED)
def _stated(node, arguments):
    found, (relative, absolute, of_argument) = _at_both_ends(node, arguments), STATED[node.op_type]
    size = 1 + sum(abs(value) for value in attributes(node).values() if isinstance(value, float))
    wide = UNIT * NEAREST * (relative * found.size + absolute * size + of_argument * arguments[0].size)
    return [Bounded(found.exact, found.low - wide, found.high + wide)]


@_rule("Abs")
def _magnitude(node, arguments):
    """Return the ends of a magnitude; zero is between two signs."""
    found, (x,) = _at_both_ends(node, arguments), arguments
    return [Bounded(found.exact, np.where((x.low <= 0) & (x.high >= 0), 0, found.low), found.high)]


@_rule("Where", "Equal", "Xor", "Mod")
def _any_choice(node, arguments):
    """Return whatever any of the ends would choose."""
    x, *rest = arguments
    (exact,) = _run(node, _side(arguments, "exact"))
    ends = [
        _run(node, [first, *_side(rest, side)])[0] for first in (x.exact, x.low, x.high) for side in ("low", "high")
    ]
    return [between(exact, *ends)]


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
    return [within(exact, radius)]


@_rule("AveragePool", "GlobalAveragePool")
def _average(node, arguments):
    (x,) = arguments
    (exact,), (size,), (brought,) = (_run(node, [value]) for value in (x.exact, x.size, x.radius))
    count = int(np.prod(attributes(node).get("kernel_shape", x.low.shape[2:])))
    halving = count & (count - 1) == 0  # a division that only moves the exponent
    radius = np.where(halving & _sums_are_exact([x], [], size * count), 0.0, (count + 4) * UNIT * size)
    return [within(exact, radius + brought)]


@_rule("BatchNormalization")
def _norm(node, arguments):
    """Bound a batch norm by 8 roundings of any term.

    That holds for (x - mean) a + beta and, as onnxruntime has it, for x a + (beta - mean a).
    """
    x, gamma, beta, mean, variance = arguments
    (exact,) = _run(node, _side(arguments, "exact"))
    nothing = np.zeros_like(mean.size)
    (size,) = _run(node, [x.size, gamma.size, beta.size, -mean.size, variance.low])
    (brought,) = _run(node, [x.radius, gamma.size, nothing, nothing, variance.low])
    return [within(exact, 8 * UNIT * size + brought)]


@_rule("QuantizeLinear", "Quant", "QuantLevels", "BipolarQuant", "MultiThreshold")
def _quantiser(node, arguments):
    """Bound a quantiser by its levels at the ends.

    A division by the scale is one rounding, a zero point before rounding another.
    """
    x, *rest = arguments
    divides = node.op_type in ("QuantizeLinear", "Quant", "QuantLevels")
    wide = _before_rounding(node, x, rest) if divides else np.zeros_like(x.size)
    (exact,) = _run(node, _side(arguments, "exact"))
    ends = [real(_run(node, [end, *_side(rest, "exact")])[0]) for end in (x.low - wide, x.high + wide)]
    step = _step(node, rest)
    near = [np.clip(end, real(exact) - step, real(exact) + step) for end in ends]
    found = between(exact, *near)
    return [
        found
        if node.op_type in ("QuantizeLinear", "QuantLevels")
        else rounded(found, 2 if node.op_type == "MultiThreshold" else 1)
    ]


def _before_rounding(node, x: Bounded, rest) -> np.ndarray:
    """Return how far from the input's ends a quantiser's own quotient may be."""
    scale = np.abs(_along(node, rest[0].low, x.low.ndim))
    shift = real(rest[1].exact) if node.op_type in ("Quant", "QuantLevels") else np.zeros(())
    quotient = real(x.exact) / scale
    exact = x.is_certain & _is_float32(quotient) & _is_float32(quotient + shift)
    return np.where(exact, 0.0, UNIT * NEAREST * ((1 + (shift != 0)) * x.size + scale * np.abs(shift)))


def _is_float32(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32) == values


def _step(node, rest) -> np.ndarray | float:
    """Return the distance from one level to the next."""
    if node.op_type == "MultiThreshold":
        return abs(attributes(node).get("out_scale", 1.0))
    if node.op_type == "QuantizeLinear":
        return 1.0
    signs = node.op_type == "BipolarQuant" or attributes(node)["signed"] and np.all(rest[2].low == 1)
    return (2 if signs else 1) * (1.0 if node.op_type == "QuantLevels" else np.abs(rest[0].low))


def _along(node, parameter: np.ndarray, rank: int) -> np.ndarray:
    """Return a quantiser's parameter, to be broadcast to a tensor of `rank`."""
    if node.op_type != "QuantizeLinear" or parameter.ndim != 1 or parameter.size == 1:
        return parameter
    shape = [1] * rank
    shape[attributes(node).get("axis", 1)] = parameter.size
    return parameter.reshape(shape)


def _sums_are_exact(factors: Sequence[Bounded], bias: Sequence[Bounded], size: np.ndarray) -> np.ndarray:
    """Return where every partial sum is a float32.

    Whole multiples, below 2^24, of a power of two that divides every term.
    """
    if not all(value.is_certain.all() for value in (*factors, *bias)):
        return np.zeros(size.shape, bool)
    grid = np.prod([_grid(real(value.exact)) for value in factors])
    return size < 2.0**24 * min([grid, *(_grid(real(value.exact)) for value in bias)])


def _grid(values: np.ndarray) -> float:
    """Return the largest power of two of which each value is a whole multiple; infinite for zeros."""
    mantissa, exponent = np.frexp(values[values != 0])
    if not mantissa.size:
        return np.inf
    whole = (mantissa * 2.0**53).astype(np.int64)
    return float(np.ldexp((whole & -whole).astype(np.float64), exponent - 53).min())
