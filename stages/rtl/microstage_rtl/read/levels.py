"""Lower operators that make levels of sums: thresholds, lines, tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from microstage.integer import fixed_point
from microstage.requantise import Search
from microstage_rtl.program.call import HeldTensor
from microstage_rtl.program.requantisation import MULTIPLIER_BITS, Requantisation, counted, raw
from microstage_rtl.read.builder import Sums
from microstage_rtl.read.node import LoweredNode, Value

__all__ = ["as_sums", "multi_threshold", "requantize", "table"]

_LEVELS, _TABLE = 1 << 10, 1 << 16
"Thresholds of one channel, and integers of one table, that the machine may hold."
_EXACT = 62
"Bits of products that are computed in 64."


def as_sums(node: LoweredNode, index: int, axis: int | None = None) -> Sums:
    """Return input `index` as sums that a requantisation may end, with the channels of `axis` last if that is given.

    They are those of the call before, or each integer of the tensor.
    """
    value = node.inputs[index]
    if isinstance(value, Sums) and (axis is None or value.order[axis] == len(value.order) - 1):
        return value
    return node.builder.each(node.name, node.tensor(index), axis)


def multi_threshold(node: LoweredNode) -> Value:
    """Lower out_bias + out_scale * number of thresholds reached, which ends the sums before it."""
    said = node.attributes
    rows = np.sort(np.ceil(np.asarray(node.inputs[1], np.float64)).astype(np.int64), axis=-1)
    scale, bias = (float(said.get(name, usual)) for name, usual in (("out_scale", 1.0), ("out_bias", 0.0)))
    if scale != int(scale) or bias != int(bias):
        raise node.refuse(f"scales its output by {scale} and shifts it by {bias}; only integers can stay in the graph.")
    seen = node.inputs[0].seen if isinstance(node.inputs[0], Sums) else node.tensor().shape
    axis = _channel_axis(node, len(seen))
    if len(rows) not in (1, seen[axis]):
        raise node.refuse(f"has {len(rows)} rows of thresholds for {seen[axis]} channels; give one for each.")
    sums = as_sums(node, 0, axis if len(rows) > 1 else None)
    found = _staircase(node, sums, Search(rows, 1, 0 if scale != 1 else int(bias)))
    if scale == 1:
        return found
    more = node.builder.each(f"{node.name}_scaled", found)
    node.builder.multiply_constant(more, np.int64(scale))
    node.builder.add_constant(more, np.int64(bias))
    return more


def _staircase(node: LoweredNode, sums: Sums, search: Search) -> HeldTensor:
    """End the sums by the cheapest form of `search`, whose scale is 1."""
    rows, channels = search.thresholds, sums.shape[-1]
    low, high = (end.reshape(-1, channels) for end in (sums.low, sums.high))
    low, high = low.min(axis=0), high.max(axis=0)
    levels = [(rows <= end[:, None]).sum(axis=1) for end in (low, high)]
    levels = [np.broadcast_to(level, sums.shape) for level in levels]
    before = low, high
    if np.any(sums.factor != 1):
        sums = node.builder.each(f"{node.name}_of", node.builder.stored(sums), sums.order.index(len(sums.order) - 1))
    if sums.offset.any():
        rows = rows - np.broadcast_to(sums.offset, channels)[:, None]
        search, before = Search(rows, 1, search.bias), (low - sums.offset, high - sums.offset)
    stage = counted(search, *before)
    return node.builder.store(sums, stage, search.bias + levels[0], search.bias + levels[1])


def requantize(node: LoweredNode) -> Value:
    """Lower clip((x * multiplier + addend) >> shift, low, high), one row or one for each channel along `axis`."""
    said = node.attributes
    given = [node.constant(i, what).ravel() for i, what in ((1, "multiplier"), (2, "addend"), (3, "shift"))]
    rows = max(map(len, given))
    seen = node.inputs[0].seen if isinstance(node.inputs[0], Sums) else node.tensor().shape
    axis = said.get("axis", 1) % len(seen)
    if rows not in (1, seen[axis]):
        raise node.refuse(f"has {rows} multipliers for {seen[axis]} channels; give one, or one for each.")
    sums = as_sums(node, 0, axis if rows > 1 else None)
    line = _line(sums, said, given) if not said.get("lift", 0) and said.get("ties", 0) in (0, 1) else None
    if line is None:
        return _staircase(node, sums, _search(node, sums, given))
    return node.builder.store(sums, line, *(np.full(sums.shape, said[end]) for end in ("low", "high")))


def _line(sums: Sums, said: Mapping[str, Any], given: list[np.ndarray]) -> Requantisation | None:
    """Return the line with one shift for all channels, of what `sums` become; None without such."""
    multiplier, addend, shift = given
    most = int(shift.max())
    scaled = multiplier << most - shift
    offset = (addend << most - shift) + scaled * sums.offset
    scaled = scaled * sums.factor
    widest = int(np.abs(scaled).max()).bit_length()
    value = int(np.abs(scaled).max()) * max(map(abs, sums.call.sums)) + int(np.abs(offset).max())
    if widest >= MULTIPLIER_BITS or value.bit_length() > _EXACT or most > _EXACT:
        return None
    found = raw(said["low"], said["high"], offset, scaled)
    return replace(found, shift=most, even=bool(said.get("ties", 0)))


def _search(node: LoweredNode, sums: Sums, given: list[np.ndarray]) -> Search:
    """Return the line as thresholds: of each channel the least integer that reaches each level, found by halving."""
    said, channels = node.attributes, sums.shape[-1]
    low, high = said["low"], said["high"]
    if high - low > _LEVELS or (given[0] < 0).any():
        raise node.refuse(
            f"multiplies by up to {np.abs(given[0]).max()}, and gives {low}..{high}; the machine multiplies by less"
            f" than 2^{MULTIPLIER_BITS - 1}, or has {_LEVELS} levels that rise."
        )
    multiplier, addend, shift = (np.broadcast_to(row, channels)[:, None] for row in given)
    ties, lift = said.get("ties", 0), said.get("lift", 0)
    levels = np.arange(low + 1, high + 1)
    first = np.full((channels, levels.size), int(sums.low.min()), np.int64)
    behind = np.full_like(first, int(sums.high.max()) + 1)
    while (first < behind).any():
        middle = first + behind >> 1
        reached = fixed_point.line(middle, multiplier, addend, shift, ties, lift) >= levels
        searched = first < behind
        first = np.where(searched & ~reached, middle + 1, first)
        behind = np.where(searched & reached, middle, behind)
    return Search(first if max(map(len, given)) > 1 else first[:1], 1, low)


def table(node: LoweredNode) -> Value:
    """Lower table[x - low], one row for all."""
    rows, low = node.constant(1, "table"), node.attributes.get("low", 0)
    sums = as_sums(node, 0)
    first, last = int(sums.low.min()) - low, int(sums.high.max()) - low
    if len(rows) > 1 or first < 0 or last >= rows.shape[1] or last - first >= _TABLE:
        raise node.refuse(
            f"has a table of {list(rows.shape)} for {first + low}..{last + low}; one row that holds them can be."
        )
    values = rows[0, first : last + 1]
    stage = replace(raw(first + low, last + low, sums.offset, sums.factor), values=values)
    return node.builder.store(sums, stage, *(np.full(sums.shape, end) for end in (values.min(), values.max())))


def _channel_axis(node: LoweredNode, rank: int) -> int:
    layout = node.attributes.get("data_layout") or {2: "NC", 3: "NWC", 4: "NCHW"}.get(rank, "")
    return min(layout.index("C") if "C" in layout else 1, rank - 1)
