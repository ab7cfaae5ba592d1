"""Functions of each element, in float64: those that never turn round, and those that may.

Nothing is said of where they have no value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce

import numpy as np

from microstage.integer.quantisers import bits_of, rounded
from microstage.integer.registry import Kind, OperatorTable, everywhere
from microstage.integer.tensor import QTensor, real

__all__ = ["TABLE"]

TABLE = OperatorTable()

_ERF = np.frompyfunc(math.erf, 1, 1)
_WHOLE = 2.0**53


def _erf(x: np.ndarray) -> np.ndarray:
    return np.asarray(_ERF(x), np.float64)


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(x, 0.0)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def _elu(x: np.ndarray, alpha: float, width: float = 1.0) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / width))


def _gelu(x: np.ndarray, approximate: str) -> np.ndarray:
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + _erf(x / math.sqrt(2)))


def _shrink(x: np.ndarray, lambd: float, bias: float) -> np.ndarray:
    return np.where(x < -lambd, x + bias, np.where(x > lambd, x - bias, 0.0))


def _hard_sigmoid(x: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    return np.clip(alpha * x + beta, 0, 1)


def _plain(names: str, function: Callable, kind: Kind, **facts) -> None:
    """Register functions of one element; attributes with their defaults are those of `takes`."""
    takes = facts.pop("takes", {})

    @TABLE.entry(*names.split(), kind=kind, **facts)
    def run(arguments, attributes):
        with np.errstate(all="ignore"):
            return function(real(arguments[0]), **{name: attributes.get(name, usual) for name, usual in takes.items()})


def _falls(name: str, usual: float) -> Callable:
    """Tell whether a factor of what lies below zero is negative, so that the function turns round there."""
    return lambda attributes, _: attributes.get(name, usual) < 0


for _names, _function, _facts in (
    ("Elu", _elu, {"takes": {"alpha": 1.0}, "turns": _falls("alpha", 1.0)}),
    ("Celu", lambda x, alpha: _elu(x, alpha, alpha), {"takes": {"alpha": 1.0}, "turns": _falls("alpha", 1.0)}),
    (
        "Selu",
        lambda x, alpha, gamma: gamma * _elu(x, alpha),
        {
            "takes": {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
            "turns": _falls("alpha", 1.0),
        },
    ),
    (
        "LeakyRelu",
        lambda x, alpha: np.where(x < 0, alpha * x, x),
        {"takes": {"alpha": 0.01}, "turns": _falls("alpha", 0.01)},
    ),
    ("HardSigmoid", _hard_sigmoid, {"takes": {"alpha": 0.2, "beta": 0.5}}),
    (
        "ThresholdedRelu",
        lambda x, alpha: np.where(x > alpha, x, 0.0),
        {"takes": {"alpha": 1.0}, "turns": _falls("alpha", 1.0)},
    ),
    ("Softplus", _softplus, {"rises": everywhere}),
    ("Softsign", lambda x: x / (1 + np.abs(x)), {"rises": everywhere}),
    ("Exp", np.exp, {"rises": everywhere}),
    ("Log", np.log, {"rises": everywhere}),
    ("Sqrt", np.sqrt, {"rises": everywhere}),
    ("Erf", _erf, {"rises": everywhere}),
    ("Sinh", np.sinh, {"rises": everywhere}),
    ("Atan", np.arctan, {"rises": everywhere}),
    ("Asin", np.arcsin, {"rises": everywhere}),
    ("Atanh", np.arctanh, {"rises": everywhere}),
    ("Acosh", np.arccosh, {"rises": everywhere}),
):
    _plain(_names, _function, Kind.MONOTONE, **_facts)

for _names, _function, _takes in (
    ("Shrink", _shrink, {"lambd": 0.5, "bias": 0.0}),
    ("HardSwish", lambda x: x * _hard_sigmoid(x, 1 / 6, 0.5), {}),
    ("Mish", lambda x: x * np.tanh(_softplus(x)), {}),
    ("Gelu", _gelu, {"approximate": "none"}),
    ("FastGelu", lambda x: _gelu(x, "tanh"), {}),
    ("QuickGelu", lambda x, alpha: x * _sigmoid(alpha * x), {"alpha": 1.702}),
    ("Swish", lambda x, alpha: x * _sigmoid(alpha * x), {"alpha": 1.0}),
    ("Reciprocal", lambda x: 1 / x, {}),
    ("Sin", np.sin, {}),
    ("Cos", np.cos, {}),
    ("Tan", np.tan, {}),
    ("Cosh", np.cosh, {}),
    ("Acos", np.arccos, {}),
):
    _plain(_names, _function, Kind.EACH, takes=_takes)


@TABLE.entry(
    "PRelu", kind=Kind.MONOTONE, turns=lambda _, constants: any(np.min(real(slope)) < 0 for slope in constants)
)
def p_relu(arguments, _):
    """Return x, or slope * x below zero."""
    x, slope = (real(value) for value in arguments)
    return np.where(x < 0, slope * x, x)


@TABLE.entry("Neg", kind=Kind.MONOTONE, straight=True)
def negative(arguments, _):
    """Return -x: every channel falls, and the integeriser negates the weights before it."""
    value = arguments[0]
    if isinstance(value, QTensor):
        return QTensor(-value.ints, value.scale)
    return -np.asarray(value, np.int64 if np.asarray(value).dtype.kind in "iu" else np.float64)


@TABLE.entry("Abs", kind=Kind.EACH)
def absolute(arguments, _):
    value = arguments[0]
    return QTensor(np.abs(value.ints), value.scale) if isinstance(value, QTensor) else np.abs(value)


def _whole(names: str, function: Callable, **facts) -> None:
    """Register functions whose results are whole numbers: integers at scale 1."""

    @TABLE.entry(*names.split(), kind=Kind.MONOTONE, rises=everywhere, **facts)
    def run(arguments, _):
        value = arguments[0]
        found = function(real(value))
        if isinstance(value, np.ndarray) and value.dtype.kind in "iu":
            return found.astype(value.dtype)
        whole = np.isfinite(found).all() and np.abs(found).max(initial=0) < _WHOLE
        return QTensor(found.astype(np.int64), np.float64(1)) if whole else found


for _names, _function in (("Round", np.rint), ("Floor", np.floor), ("Ceil", np.ceil), ("Sign", np.sign)):
    _whole(_names, _function)


def _extreme(name: str, pick: Callable) -> None:
    """Register the least or the greatest of several: integers where all are at one scale."""

    @TABLE.entry(name, kind=Kind.MONOTONE, rises=everywhere)
    def extreme(arguments, _):
        """Return the least, or the greatest, of the inputs at each place."""
        scales = {
            float(np.asarray(value.scale).reshape(())) if np.size(value.scale) == 1 else None
            for value in arguments
            if isinstance(value, QTensor)
        }
        if len(scales) == 1 and None not in scales and all(isinstance(value, QTensor) for value in arguments):
            return QTensor(reduce(pick, (value.ints for value in arguments)), arguments[0].scale)
        if all(isinstance(value, np.ndarray) and value.dtype.kind in "iu" for value in arguments):
            return reduce(pick, arguments)
        return reduce(pick, (real(value) for value in arguments))


_extreme("Min", np.minimum)
_extreme("Max", np.maximum)


@TABLE.entry("Pow", kind=Kind.EACH)
def power(arguments, _):
    base, exponent = arguments
    if all(isinstance(value, np.ndarray) and value.dtype.kind in "iu" for value in arguments):
        return np.power(base, exponent)
    with np.errstate(all="ignore"):
        return np.power(real(base), real(exponent))


@TABLE.entry("Mod", kind=Kind.EACH)
def modulo(arguments, attributes):
    """Return the remainder; fmod has the sign of what is divided, else it has that of what divides."""
    a, b = (value if isinstance(value, np.ndarray) else real(value) for value in arguments)
    return np.fmod(a, b) if attributes.get("fmod", 0) else np.mod(a, b)


for _names, _function, _kind in (
    ("Greater", np.greater, Kind.MONOTONE),
    ("GreaterOrEqual", np.greater_equal, Kind.MONOTONE),
    ("Less", np.less, Kind.MONOTONE),
    ("LessOrEqual", np.less_equal, Kind.MONOTONE),
    ("Equal", np.equal, Kind.EACH),
    ("And", np.logical_and, Kind.EACH),
    ("Or", np.logical_or, Kind.EACH),
    ("Xor", np.logical_xor, Kind.EACH),
):
    TABLE.entry(_names, kind=_kind)(lambda arguments, _, f=_function: f(*(real(value) for value in arguments)))


@TABLE.entry("Not", kind=Kind.MONOTONE)
def negation(arguments, _):
    return np.logical_not(arguments[0])


@TABLE.entry("Where", kind=Kind.EACH)
def where(arguments, _):
    """Return integers where both are at one scale."""
    chosen, a, b = arguments
    chosen = real(chosen) != 0
    if isinstance(a, QTensor) and isinstance(b, QTensor) and np.array_equal(a.scale, b.scale):
        return QTensor(np.where(chosen, a.ints, b.ints), a.scale)
    plain = all(isinstance(value, np.ndarray) for value in (a, b))
    return np.where(chosen, a, b) if plain else np.where(chosen, real(a), real(b))


@TABLE.entry("Trunc", kind=Kind.MONOTONE, rises=lambda constants: float(constants[0]) > 0)
def trunc(arguments, attributes):
    """Cut off the least bits of integers at a scale (qonnx).

    The scale stays as it was with five inputs, and becomes another with six.
    """
    value, scale, zero_point, width, *rest = (real(argument) for argument in arguments)
    rounding = attributes.get("rounding_mode", "FLOOR")
    levels = np.rint(value / scale + zero_point)
    if len(rest) == 1:
        cut = 2.0 ** (bits_of(width) - bits_of(rest[0]))
        return (
            (rounded(levels / cut, rounding) - zero_point) * scale
            if np.any(zero_point)
            else QTensor(rounded(levels / cut, rounding).astype(np.int64), scale.reshape(()))
        )
    new, bits = rest[0], bits_of(rest[1])
    cut, signed, narrow = 2.0 ** np.rint(np.log2(new / scale)), attributes.get("signed", 1), attributes.get("narrow", 0)
    low = -(2.0 ** (bits - 1)) + narrow if signed else 0.0
    high = 2.0 ** (bits - 1) - 1 if signed else 2.0**bits - 1 - narrow
    found = rounded(np.clip(levels / cut, low, high), rounding) - zero_point / cut
    return QTensor(found.astype(np.int64), new.reshape(())) if (found == np.rint(found)).all() else found * new
