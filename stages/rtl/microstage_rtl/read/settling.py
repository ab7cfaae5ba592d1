"""What happens to carried states between two windows, as calls: `microstage.signals.settle` in the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from microstage.errors import ModelError
from microstage.requantise import Search
from microstage.signals.settle import RunningMean, Settling
from microstage_rtl.program.call import HeldTensor
from microstage_rtl.program.program import HELD
from microstage_rtl.program.requantisation import Requantisation, counted, raw
from microstage_rtl.read.builder import Builder

__all__ = ["FURTHEST", "settled", "within"]

FURTHEST = 31
"Places that a state is shifted by at most: of integers of so many bits nothing is left, or all exceed any top."


def settled(
    builder: Builder, settling: Settling, states: Mapping[str, HeldTensor], exponent: HeldTensor, previous: HeldTensor
) -> dict[str, HeldTensor]:
    """Append the calls; return what the window takes of `states` whose gain was 2^`previous`, and is 2^`exponent`."""
    builder.place = "Settling states"
    between = builder.pair("gain_shift", exponent, previous, "difference")
    places = builder.store(
        between, raw(-FURTHEST, FURTHEST), *(end.clip(-FURTHEST, FURTHEST) for end in (between.low, between.high))
    )
    found, mean = dict(states), settling.mean
    for name, top in settling.tops.items():
        rescaled = _rescaled(builder, name, states[name], places, top)
        found[name] = _held(builder, mean, rescaled, states) if mean and name == mean.sum else rescaled
    return {**found, **_halved(builder, mean, found)} if mean else found


def _rescaled(builder: Builder, name: str, x: HeldTensor, places: HeldTensor, top: int) -> HeldTensor:
    """Return floor(-x / 2^places + 1/2), held to -top..top."""
    if max(top, *map(abs, x.ends)) > HELD + 1:
        raise ModelError(
            f"State {name} follows the gain and reaches {max(map(abs, x.ends))}; at most {HELD + 1} can be."
        )
    turned = builder.each(f"{name}_turned", x)
    builder.multiply_constant(turned, np.int64(-1))
    by = places.seen_as((1, 1))
    sums = builder.pair(f"{name}_rescaled", builder.stored(turned), by, "rescale")
    return builder.store(sums, raw(-top, top), *(np.full(x.shape, end) for end in (-top, top)))


def _held(builder: Builder, mean: RunningMean, x: HeldTensor, states: Mapping[str, HeldTensor]) -> HeldTensor:
    """Return the sum `x` held to the largest size that it can have at its count."""
    for kind, factor in (("smallest", mean.summand), ("largest", -mean.summand)):
        most = builder.each(f"{mean.sum}_{kind}", _twice(states[mean.count]))
        builder.multiply_constant(most, np.int64(factor))
        x = builder.stored(builder.pair(f"{mean.sum}_{kind}_held", x, builder.stored(most), kind))
    return x


def _halved(builder: Builder, mean: RunningMean, states: Mapping[str, HeldTensor]) -> dict[str, HeldTensor]:
    """Return sum and count, halved where the count is full."""
    total, count = states[mean.sum], states[mean.count]
    sums = builder.each(f"{mean.count}_full", count)
    ends = (end.max(axis=0) for end in (count.low, count.high))
    stage = counted(Search(np.array([[mean.most]]), 1, 0), *ends)
    full = builder.store(sums, stage, np.zeros(count.shape, np.int64), np.ones(count.shape, np.int64))
    one = np.ones(1, np.int64)
    low, high = (end + 1 >> 1 for end in (total.low, total.high))
    stage = Requantisation(one, one, 1, int(low.min()), int(high.max()))
    half = builder.store(builder.each(f"{mean.sum}_half", total), stage, low, high)
    nothing = builder.each(f"{mean.count}_half", count)
    builder.multiply_constant(nothing, np.int64(0))
    builder.add_constant(nothing, np.int64(mean.most >> 1))
    return {
        mean.sum: _chosen(builder, mean.sum, _twice(full), half, total),
        mean.count: _chosen(builder, mean.count, full, builder.stored(nothing), count),
    }


def _chosen(builder: Builder, name: str, flag: HeldTensor, a: HeldTensor, b: HeldTensor) -> HeldTensor:
    """Return a where the flag is 1, b where it is 0."""
    less = builder.stored(builder.pair(f"{name}_less", a, b, "difference"))
    change = builder.stored(builder.pair(f"{name}_change", flag, less, "product"))
    found = builder.pair(f"{name}_settled", b, change, "sum")
    low, high = np.minimum(a.low, b.low), np.maximum(a.high, b.high)
    return builder.store(found, raw(int(low.min()), int(high.max())), low, high)


def _twice(x: HeldTensor) -> HeldTensor:
    """Return what holds for each of k phasors, once for real parts and once for imaginary ones: [1, k] as [1, 2 k]."""
    k = x.shape[-1]
    return x.moved(lambda array: np.broadcast_to(array.reshape(1, 1, k), (1, 2, k)).reshape(1, 2 * k))


def within(x: HeldTensor, low: int, high: int) -> HeldTensor:
    """Return the same tensor where less is known to be possible than its calls alone prove."""
    return replace(x, low=np.maximum(x.low, low), high=np.minimum(x.high, high))
