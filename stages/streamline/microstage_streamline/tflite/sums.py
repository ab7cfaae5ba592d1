"""Append sums, differences and products of two tensors."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage_streamline.tflite.builder import LAST, RAW, REAL, TfliteBuilder
from microstage_streamline.tflite.file import TfliteOperator, TfliteTensor
from microstage_streamline.tflite.rounding import line, quantised, rescaled, rounded_twice
from microstage_streamline.tflite.rules import clamped, multiplier

Factor = tuple[int, int]  # multiplier of 31 bits, shift

_LIFTED = {1: 20, 2: 15}  # bits that terms are lifted by, by the bytes of their type


def _pair(b: TfliteBuilder, operator: TfliteOperator) -> tuple[list[TfliteTensor], TfliteTensor, str]:
    """Return both inputs, the output, and the layout in which they meet."""
    terms, out = [b.activation(place) for place in operator.inputs], b.activation(operator.outputs[0])
    alike = all(term.shape == out.shape and term.data is None for term in terms)
    return terms, out, b.layout(*operator.inputs) if alike else LAST


def add(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append a + b or a - b, of tensors or of one and a constant."""
    (first, second), out, layout = _pair(b, operator)
    names = [b.get(term.place, REAL, layout) for term in (first, second)]
    activation = operator.option("fusedActivationFunction")
    if not b.exact:
        kind = {"ADD": "Add", "SUB": "Sub"}[operator.kind]
        quantised(b, out.place, b.node(kind, names, b.fresh(out.place, "added")), layout, activation)
        return
    lifted = _LIFTED[out.kind.itemsize]
    one, other, scale = _prepared(first.scale, second.scale, out.scale, lifted)
    low, high = clamped(out, activation)
    if out.kind == np.int16:
        _added(b, operator, names, lifted, (one, other, scale), b.new(out.place, RAW, layout), (low, high))
        return
    flags = {
        "first": list(one),
        "second": list(other),
        "scale": list(scale),
        "left_shift": lifted,
        "sign": -1 if operator.kind == "SUB" else 1,
    }
    b.node("TfliteAdd", names, b.new(out.place, RAW, layout), **flags, zero_point=out.zero, low=low, high=high)


def _added(
    b: TfliteBuilder,
    operator: TfliteOperator,
    names: list[str],
    lifted: int,
    factors: tuple[Factor, Factor, Factor],
    name: str,
    ends: tuple[int, int],
) -> None:
    """Append a sum of 16 bits, whose zero points are 0: each step is lines."""
    place, total_factor = operator.outputs[0], factors[2]
    terms: list[str] = []
    for source, (factor, shift) in zip(names, factors):
        raised = line(b, source, 1 << lifted, 0, 0, b.fresh(place, "lifted"), (-(2**31), 2**31 - 1))
        terms.append(rounded_twice(b, place, raised, factor, shift, b.fresh(place, "term"), (-(2**31), 2**31 - 1)))
    total = b.node("Sub" if operator.kind == "SUB" else "Add", terms, b.fresh(place, "sum_of_terms"))
    rounded_twice(b, place, total, *total_factor, name, ends)


def _prepared(first: np.float32, second: np.float32, out: np.float32, lifted: int) -> tuple[Factor, Factor, Factor]:
    """Return the multipliers of both terms and of their sum."""
    twice = 2 * np.float64(max(first, second))
    factors = np.float64(first) / twice, np.float64(second) / twice, twice / ((1 << lifted) * np.float64(out))
    if factors[2] >= 1:
        raise ModelError(f"its output's scale {out:g} is too fine for scales {first:g} and {second:g}")
    one, other, total = (multiplier(float(factor)) for factor in factors)
    return one, other, total


def mul(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append integers multiplied element by element, at the product of their scales."""
    (first, second), out, layout = _pair(b, operator)
    product = b.node(
        "Mul", [b.get(term.place, REAL, layout) for term in (first, second)], b.fresh(out.place, "product")
    )
    activation = operator.option("fusedActivationFunction")
    if not b.exact:
        quantised(b, out.place, product, layout, activation)
        return
    factor = np.float64(first.scale) * np.float64(second.scale) / np.float64(out.scale)
    rescaled(b, out.place, product, factor, layout, activation=activation)
