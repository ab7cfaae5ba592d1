"""Sums of two tensors of different scales: one multiply-add-shift, compared with the reference at every pair of integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.interpreter import run_node
from microstage_cbackend.ir import accumulator_type
from microstage_cbackend.stages import Affine

if TYPE_CHECKING:
    from microstage_cbackend.builder import Builder

__all__ = ["fit_blend"]

_MOST_PAIRS = 2**22
_LARGEST_SHIFT = 30


def fit_blend(builder: Builder, place: str, name: str, value: Any) -> Any:
    """`value`, a sum of two scales with a chain behind it that ends in a quantiser, as a layer; refused where no form is equal."""
    a, b = value, value.other
    wanted = _reference(place, a, b)
    quantiser = next((link for link in reversed(value.links) if link.node.op_type == "QuantizeLinear"), None)
    if quantiser is None:
        raise ModelError(f"{place} reads a sum of two scales that no QuantizeLinear makes an integer; put one behind the sum.")
    step = float(np.ravel(quantiser.constants[quantiser.node.input[1]])[0])
    zero = int(np.ravel(quantiser.constants.get(quantiser.node.input[2], 0))[0]) if len(quantiser.node.input) > 2 else 0
    ratios = float(a.scale) / step, float(b.scale) / step
    found = _fit(wanted, ratios, (a.tensor.low - a.zero, b.tensor.low - b.zero), zero)
    if found is None:
        raise ModelError(f"{place} adds two scales whose sum no multiply-add-shift of 30 bits gives exactly; use one scale for both.")
    multipliers, stage = found
    stage.offset = stage.offset - multipliers[0] * a.zero - multipliers[1] * b.zero
    return _layer(builder, place, name, value, multipliers, stage, wanted)


def _reference(place: str, a: Any, b: Any) -> np.ndarray:
    """The reference's integers [values of a, values of b]."""
    xs, ys = (np.arange(v.tensor.low, v.tensor.high + 1) - v.zero for v in (a, b))
    if len(xs) * len(ys) > _MOST_PAIRS:
        raise ModelError(f"{place} reads a sum of {len(xs)} by {len(ys)} integers of two scales; quantise both to 8 bits first.")
    left, right = np.broadcast_arrays(xs[:, None], ys[None])
    first, *links = a.links
    value = run_node(first.node, dict(zip(first.node.input, (QTensor(left, a.scale), QTensor(right, b.scale)))))[first.node.output[0]]
    try:
        for link in links:
            value = link.apply(value)
    except ValueError:
        raise ModelError(f"{place} reads a sum of two scales behind constants per channel; fold them into the layers before.") from None
    value = value.ints if isinstance(value, QTensor) else np.asarray(value)
    if value.shape != left.shape or not np.issubdtype(value.dtype, np.integer):
        raise ModelError(f"{place} reads a sum of two scales that is no integer per pair; put a QuantizeLinear behind the sum.")
    return value.astype(np.int64)


def _fit(wanted: np.ndarray, ratios: tuple[float, float], starts: tuple[int, int], zero: int) -> tuple[tuple[int, int], Affine] | None:
    """Multipliers and stage (for centred operands) with the smallest shift that gives `wanted` at every pair."""
    xs = starts[0] + np.arange(wanted.shape[0])[:, None]
    ys = starts[1] + np.arange(wanted.shape[1])[None]
    low, high = int(wanted.min()), int(wanted.max())
    for even in (False, True):
        for shift in range(1, _LARGEST_SHIFT + 1):
            multipliers = tuple(round(r * 2.0**shift) for r in ratios)
            sums = multipliers[0] * xs + multipliers[1] * ys
            offset = (zero << shift) + (0 if even else 1 << (shift - 1))
            stage = Affine(np.ones(1, np.int64), np.array([offset]), shift, low, high, even)
            if np.array_equal(stage.apply(sums, np.zeros_like(sums)), wanted):
                return multipliers, stage
    return None


def _layer(builder: Builder, place: str, name: str, value: Any, multipliers: tuple[int, int], stage: Affine, wanted: np.ndarray) -> Any:
    from microstage_cbackend.qcdq import Value

    x, w = value.tensor, value.other.tensor
    low, high = stage.low, stage.high
    y = builder.pair(place, "Add and QuantizeLinear", "ms_blend", name, x, w, low, high, x_multiplier=multipliers[0], w_multiplier=multipliers[1])
    layer = builder.part.layers[-1]
    terms = [sorted((m * t.low, m * t.high)) for m, t in zip(multipliers, (x, w))]
    layer.partial = terms[0][0] + terms[1][0], terms[0][1] + terms[1][1]
    ends = [v + int(stage.offset[0]) for v in layer.partial]
    reach = (*layer.partial, *ends, *terms[0], *terms[1], 0)
    layer.accumulator = accumulator_type(min(reach), max(reach), f"{place}: its sum")
    stage.wide = stage.even or layer.accumulator == "int64_t"
    layer.stage, layer.remark = stage, f"sums within {layer.partial[0]}..{layer.partial[1]}"
    proof = {"layer": layer.node, "operator": layer.operator, "sums": list(layer.partial), "form": stage.kind, "shift": stage.shift}
    builder.part.proofs.append(proof | {"pairs_compared": int(wanted.size)})
    return Value(y)
