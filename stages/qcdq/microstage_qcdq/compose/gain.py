"""The gain of a window in ONNX: its integers and its exponent from real values."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from microstage_qcdq.graph.build import PartBuilder
from microstage_qcdq.split.entries import WindowInput

__all__ = ["block_float"]


def block_float(b: PartBuilder, entry: WindowInput) -> str:
    """Append the window's integers from its real values [B, N]; return the gain 2^e [B, 1], exact.

    e counts the powers below the peak.
    `gain.held` [B, 1] is whether every sample lies within the range, which no NaN does; `gain.or_none` is the gain, NaN
    where one does not; `gain.index` [B, 1] int32 is e, counted from the lowest.
    """
    real, (low, high) = entry.gain.inputs[entry.real], entry.gain.exponents
    powers = np.ldexp(np.float32(1), np.arange(low, high + 1)).astype(np.float32)
    size = b.add("Abs", [real], f"{real}.size")
    held = b.add("LessOrEqual", [size, b.constant("gain.largest", powers[-1])], f"{real}.held")
    real = b.add("Where", [held, real, b.constant("gain.nothing", np.float32(0))], f"{real}.known")
    size = b.add("Abs", [real], f"{real}.size")
    peak = b.add("ReduceMax", [size], "peak", axes=[1], keepdims=1)
    above = b.add("Greater", [peak, b.constant("gain.powers", powers[:-1])], "gain.above")
    above = b.add("Cast", [above], "gain.counted", to=TensorProto.INT32)
    index = b.add("ReduceSum", [above, b.constant("gain.axis", np.int64([1]))], "gain.index", keepdims=1)
    factor = b.add("Gather", [b.constant("gain.table", powers), index], "gain", axis=0)
    scaled = b.add("Div", [real, factor], f"{real}.scaled")
    ints = b.quantise(scaled, entry.scale, *entry.ends, f"{entry.name}.flat")
    b.add("Reshape", [ints, b.constant(f"{entry.name}.shape", np.int64([-1, *entry.shape[1:]]))], entry.name)
    held = b.add("Cast", [held], "gain.held_samples", to=TensorProto.INT32)
    held = b.add("ReduceMin", [held], "gain.held_window", axes=[1], keepdims=1)
    held = b.add("Cast", [held], f"{factor}.held", to=TensorProto.BOOL)
    b.add("Where", [held, factor, b.constant("gain.none", np.float32(np.nan))], f"{factor}.or_none")
    return factor
