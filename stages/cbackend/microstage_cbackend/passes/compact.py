"""Make thresholds the smallest form that is fast: multiply-add-shift, a table, or the search that they are.

A form is taken only where it is proven equal at every sum that the layer can reach: the steps of both staircases are
compared one by one, and where there are few enough sums, both are evaluated at each of them too.
"""

from __future__ import annotations

import numpy as np

from microstage.integer.lines import fit_line
from microstage.requantise import MultiplyAddShift, Search, Shared, fit_affine, fit_shared, trimmed
from microstage_cbackend.passes.blends import fit_pairs
from microstage_cbackend.passes.fuse import SUMMING, channels_of
from microstage_cbackend.program.ir import KernelCall, Part, Tensor, accumulator_type, bits_of, smallest_type
from microstage_cbackend.program.wide import Wide, requantisation

__all__ = ["compact"]

_LARGEST_TABLE = 4096
_EXHAUSTIVE = 2**20
_FEW_LEVELS = 3
_MANY = 1 << 12
"Levels beyond which it is the line of a 16-bit activation that is looked for, or a table."


def compact(part: Part) -> None:
    """Give each layer with thresholds its smallest form, and note in `part.proofs` what it was proven on."""
    for layer in part.layers:
        if isinstance(layer.stage, MultiplyAddShift | Wide):
            part.proofs.append(_proof_of_given_line(layer, layer.stage))
        elif isinstance(layer.stage, Search) and not _fit_blend(part, layer, layer.stage):
            _compact(part, layer, layer.stage)


def _fit_blend(part: Part, layer: KernelCall, before: Search) -> bool:
    """Give a sum of two scales the line that is right at every pair of integers; tell whether there is one."""
    s = layer.shape
    factors = (s["x_multiplier"], s["w_multiplier"]) if layer.kernel == "ms_blend" else (1, 1)
    if max(map(abs, factors)) == 1 or any(t.data is not None for t in layer.inputs):
        return False
    found = fit_pairs(before, factors, *layer.inputs)
    if found is None:
        return False
    (s["x_multiplier"], s["w_multiplier"]), line = found
    _sum_in_line(layer, line, found[0])
    proof = {
        "layer": layer.node,
        "operator": layer.operator,
        "sums": list(layer.partial),
        "form": line.kind,
        "shift": line.shift,
        "thresholds": before.thresholds.size,
        "bytes_as_thresholds": before.bytes,
        "pairs_compared": int(np.prod([t.high - t.low + 1 for t in layer.inputs])),
    }
    part.proofs.append(proof)
    return True


def _sum_in_line(layer: KernelCall, line: MultiplyAddShift, multipliers: tuple[int, int]) -> None:
    """Give `layer` the stage `line` of its two operands times `multipliers`, and the accumulator that it needs."""
    a, b = (sorted((m * t.low, m * t.high)) for m, t in zip(multipliers, layer.inputs))
    layer.partial = a[0] + b[0], a[1] + b[1]
    reach = *layer.partial, *(v + int(line.offset[0]) for v in layer.partial), *a, *b, 0
    layer.accumulator = accumulator_type(min(reach), max(reach), f"{layer.node}: its sum")
    line.wide = layer.accumulator == "int64_t" or line.even
    layer.stage, layer.reach = line, tuple(np.array([end]) for end in layer.partial)


def _compact(part: Part, layer: KernelCall, before: Search) -> None:
    """Replace the thresholds `before` of `layer` by their smallest form."""
    search, low, high = trimmed(before, *layer.reach)
    if search.thresholds.shape[1] > _MANY:
        layer.stage = _line(layer, search, low, high) or search
        if layer.stage is search and _fits_a_table(layer, search, low, high):
            _make_table(layer, search, int(low[0]), int(high[0]))
    else:
        _smallest(layer, search, low, high)
    if len(search.thresholds) == 1 and layer.kernel == "ms_stage":
        layer.shape = {"outer": 1, "channels": 1, "inner": int(np.prod(list(layer.shape.values())))}
        layer.reach = low, high
    part.proofs.append(_proof(layer, before, search, low, high))


def _smallest(layer: KernelCall, search: Search, low: np.ndarray, high: np.ndarray) -> None:
    """Choose, of a line, a table, one row for all channels, a wide line for channels whose slopes no shift holds
    together, and the thresholds themselves, what is small and fast.
    """
    affine = fit_affine(search, low, high)
    if affine is not None and layer.kernel in SUMMING and affine.multiplier.size == 1:
        affine = affine.of_rows(np.zeros(channels_of(layer), np.int64))
    on_bytes = layer.kernel in SUMMING and layer.inputs[0].ctype in (
        "int8_t",
        "uint8_t",
    )  # where specialised kernels want it
    levels = search.thresholds.shape[1]
    if affine is not None and (on_bytes or not levels or levels > _FEW_LEVELS or affine.bytes < search.bytes):
        layer.stage = affine
    elif _fits_a_table(layer, search, low, high):
        _make_table(layer, search, int(low[0]), int(high[0]))
    else:
        shared = fit_shared(search, low, high)
        line = _line(layer, search, low, high) if affine is None and shared is None and levels > _FEW_LEVELS else None
        layer.stage = min((form for form in (search, shared, line) if form is not None), key=lambda form: form.bytes)


def _fits_a_table(layer: KernelCall, search: Search, low: np.ndarray, high: np.ndarray) -> bool:
    """Tell whether a table of every sum is small, or no larger than the thresholds of one row for all."""
    values = int(high[0] - low[0]) + 1
    kind = smallest_type(*search.ends, "table")
    small = values <= min(_LARGEST_TABLE, 2 * search.bytes) or values * bits_of(kind) // 8 <= search.bytes
    return layer.kernel == "ms_stage" and len(search.thresholds) == 1 and small


def _line(layer: KernelCall, search: Search, low: np.ndarray, high: np.ndarray) -> MultiplyAddShift | Wide | None:
    """Return the line that thresholds are for every channel of `layer`, of many levels or unlike slopes, or None."""
    found = fit_line(search.thresholds, search.bias, low, high) if search.scale == 1 else None
    if found is None:
        return None
    shift, reach = np.array([found.shift]), int(max(np.abs(low).max(), np.abs(high).max()))
    line = requantisation(found.multiplier, found.addend, shift, *search.ends, found.ties, found.lift, reach)
    return line and line.of_rows(_rows(layer, search))


def _rows(layer: KernelCall, search: Search) -> np.ndarray:
    """Return which row of a line each channel takes."""
    rows = len(search.thresholds)
    return np.zeros(channels_of(layer), np.int64) if rows == 1 and layer.kernel in SUMMING else np.arange(rows)


def _make_table(layer: KernelCall, search: Search, low: int, high: int) -> None:
    """Make `layer` a table of `search` at each of the sums low..high."""
    values = search.apply(np.arange(low, high + 1), np.zeros(high - low + 1, np.int64))
    table = Tensor(f"{layer.output.name}_table", values.shape, int(values.min()), int(values.max()), values)
    layer.kernel, layer.stage, layer.inputs = "ms_table", None, [layer.inputs[0], table]
    layer.shape = {"count": int(np.prod(list(layer.shape.values()))), "low": low}


def _proof_of_given_line(layer: KernelCall, stage: MultiplyAddShift | Wide) -> dict:
    """Describe a line that the graph has, which was proven where it was made."""
    sums = [int(layer.reach[0].min()), int(layer.reach[1].max())]
    about = {"layer": layer.node, "operator": layer.operator, "sums": sums, "rows": stage.rows}
    return about | {"form": stage.kind, "shift": stage.shift, "bytes": stage.bytes}


def _proof(layer: KernelCall, before: Search, search: Search, low: np.ndarray, high: np.ndarray) -> dict:
    rows, levels = search.thresholds.shape
    proof = {
        "layer": layer.node,
        "operator": layer.operator,
        "sums": [int(low.min()), int(high.max())],
        "rows": rows,
        "thresholds": levels,
    }
    proof |= {
        "form": layer.stage.kind if layer.stage is not None else "table",
        "bytes": _bytes(layer),
        "bytes_as_thresholds": before.bytes,
    }
    if isinstance(layer.stage, MultiplyAddShift | Shared | Wide):
        proof["shift"] = layer.stage.shift
        proof["steps_compared"] = int(((search.thresholds > low[:, None]) & (search.thresholds <= high[:, None])).sum())
    if int((high - low + 1).sum()) <= _EXHAUSTIVE:
        proof["sums_compared"] = _compare(layer, before, low, high)
    return proof


def _bytes(layer: KernelCall) -> int:
    if layer.stage is not None:
        return layer.stage.bytes
    table = layer.inputs[1]
    return table.size * bits_of(smallest_type(table.low, table.high, "table")) // 8


def _compare(layer: KernelCall, before: Search, low: np.ndarray, high: np.ndarray) -> int:
    """Count the (sum, row) pairs at which the new form gives what the thresholds gave: all, or this generator is
    wrong."""
    for row, (least, most) in enumerate(zip(low, high)):
        sums = np.arange(least, most + 1)
        channel = np.full(sums.shape, row)
        found = layer.stage.apply(sums, channel) if layer.stage is not None else layer.weights
        assert np.array_equal(before.apply(sums, channel), found), f"{layer.node}: the compact form differs"
    return int((high - low + 1).sum())
