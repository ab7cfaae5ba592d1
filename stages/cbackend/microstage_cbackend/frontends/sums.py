"""Sums of two tensors of different scales: one multiply-add-shift, compared with the reference at every pair of integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.interpreter import run_node
from microstage_cbackend.program.ir import accumulator_type
from microstage_cbackend.program.stages import Affine, Search

if TYPE_CHECKING:
    from microstage_cbackend.frontends.builder import Builder

__all__ = ["fit_blend"]

_MOST_PAIRS = 2**22
_LARGEST_SHIFT = 30
_SHORT_SHIFT = 12


def fit_blend(builder: Builder, place: str, name: str, value: Any) -> Any:
    """`value`, a sum of two scales with a chain behind it that ends in a quantiser, as a layer; refused where no form is equal."""
    a, b = value, value.other
    wanted = _reference(place, a, b)
    quantiser = next((link for link in reversed(value.links) if link.node.op_type == "QuantizeLinear"), None)
    if quantiser is None:
        raise ModelError(f"{place} reads a sum of two scales that no QuantizeLinear makes an integer; put one behind the sum.")
    step = float(np.ravel(quantiser.constants[quantiser.node.input[1]])[0])
    ratios = float(a.scale) / step, float(b.scale) / step
    starts = a.tensor.low - a.zero, b.tensor.low - b.zero
    found = _fit(wanted, ratios, starts) or _steps(wanted, ratios, starts)
    if found is None:
        raise ModelError(f"{place} adds two scales whose sum no multiply-add-shift of 30 bits gives exactly; use one scale for both.")
    multipliers, stage = found
    moved = multipliers[0] * a.zero + multipliers[1] * b.zero
    if isinstance(stage, Affine):
        stage.offset = stage.offset - moved
    else:
        stage.thresholds = stage.thresholds + moved
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


def _fit(wanted: np.ndarray, ratios: tuple[float, float], starts: tuple[int, int]) -> tuple[tuple[int, int], Affine] | None:
    """Multipliers and stage (for centred operands) with the smallest shift that gives `wanted` at every pair.

    For given multipliers every pair bounds the offset; where the bounds leave room, the form is equal at all of them.
    """
    xs = starts[0] + np.arange(wanted.shape[0])[:, None]
    ys = starts[1] + np.arange(wanted.shape[1])[None]
    low, high = int(wanted.min()), int(wanted.max())
    for even in (False, True):
        for shift in range(1, _LARGEST_SHIFT + 1):
            for change in ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)):
                multipliers = tuple(round(r * 2.0**shift) + d for r, d in zip(ratios, change))
                offset = _offset(wanted, multipliers[0] * xs + multipliers[1] * ys, shift, even, low, high)
                if offset is not None:
                    return multipliers, Affine(np.ones(1, np.int64), np.array([offset]), shift, low, high, even)
    return None


def _steps(wanted: np.ndarray, ratios: tuple[float, float], starts: tuple[int, int]) -> tuple[tuple[int, int], Search] | None:
    """Thresholds of a sum of small multiples, where equal sums want equal levels: scales whose ratio is a short fraction."""
    xs = starts[0] + np.arange(wanted.shape[0])[:, None]
    ys = starts[1] + np.arange(wanted.shape[1])[None]
    for shift in range(_SHORT_SHIFT):
        multipliers = tuple(round(r * 2.0**shift) for r in ratios)
        sums, first = np.unique(multipliers[0] * xs + multipliers[1] * ys, return_inverse=True)
        levels = np.zeros(len(sums), np.int64)
        levels[first.ravel()] = wanted.ravel()
        if np.array_equal(levels[first.ravel()], wanted.ravel()) and np.all(np.diff(levels) >= 0):
            reached = np.searchsorted(levels, np.arange(levels[0] + 1, levels[-1] + 1))
            return multipliers, Search(sums[reached][None], 1, int(levels[0]))
    return None


def _offset(wanted: np.ndarray, sums: np.ndarray, shift: int, even: bool, low: int, high: int) -> int | None:
    """The offset in the middle of those with which the shift gives `wanted` for all `sums`, or None."""
    least, most = wanted << shift, ((wanted + 1) << shift) - 1
    if even:  # half a step lower; a half belongs to the even level
        half = 1 << (shift - 1)
        least, most = least - half + (wanted & 1), most - half + 1 - (wanted & 1)
    first = int(np.where(wanted > low, least - sums, -(2**61)).max())
    last = int(np.where(wanted < high, most - sums, 2**61).min())
    return (first + last) // 2 if first <= last else None


def _layer(builder: Builder, place: str, name: str, value: Any, multipliers: tuple[int, int], stage: Affine | Search, wanted: np.ndarray) -> Any:
    from microstage_cbackend.frontends.qcdq import Value

    x, w = value.tensor, value.other.tensor
    low, high = int(wanted.min()), int(wanted.max())
    y = builder.pair(place, "Add and QuantizeLinear", "ms_blend", name, x, w, low, high, x_multiplier=multipliers[0], w_multiplier=multipliers[1])
    layer = builder.part.layers[-1]
    terms = [sorted((m * t.low, m * t.high)) for m, t in zip(multipliers, (x, w))]
    layer.partial = terms[0][0] + terms[1][0], terms[0][1] + terms[1][1]
    offset = int(stage.offset[0]) if isinstance(stage, Affine) else 0
    reach = (*layer.partial, *(v + offset for v in layer.partial), *terms[0], *terms[1], 0)
    layer.accumulator = accumulator_type(min(reach), max(reach), f"{place}: its sum")
    stage.wide = layer.accumulator == "int64_t" or (isinstance(stage, Affine) and stage.even)
    layer.stage, layer.remark = stage, f"sums within {layer.partial[0]}..{layer.partial[1]}"
    proof = {"layer": layer.node, "operator": layer.operator, "sums": list(layer.partial), "form": stage.kind, "pairs_compared": int(wanted.size)}
    builder.part.proofs.append(proof)
    return Value(y)
