"""Networks of less than 8 bits: where generic runtimes still compute bytes or floats."""

from __future__ import annotations

from microstage_bench.drawn_networks import Drawing
from microstage_bench.names import WIDTHS
from microstage_bench.network import DrawnNetwork, Quantity

__all__ = ["cnv_binary", "kws_of_bits", "kws_w3a3"]

_LARGEST = {8: 127, 4: 7, 3: 3, 1: 1}  # weight, by bits per weight


def kws_w3a3() -> DrawnNetwork:
    """Draw keyword spotting as published for MLPerf Tiny's open division: 490 -> 3 x 256 -> 12, weights and activations
    of 3 bits.
    """
    d = Drawing("drawn-kws-w3a3", (490,), Quantity(1 / 128, 0, -127), seed=5, reach=3, steps=7)
    for _ in range(3):
        d.dense(256, per_channel=True)
    d.dense(12, relu=False)
    return d.network()


def kws_of_bits(bits: int) -> DrawnNetwork:
    """Draw the same shape with weights of `bits` and activations of 8: what the width of weights alone is worth."""
    d = Drawing(WIDTHS[bits], (490,), Quantity(1 / 128, 0, -127), seed=5, reach=_LARGEST[bits])
    for _ in range(3):
        d.dense(256, per_channel=True)
    d.dense(12, relu=False)
    return d.network()


def cnv_binary() -> DrawnNetwork:
    """Draw the shape of CNV-W1A1, 3 x 32 x 32 -> 10: weights -1 or 1, activations 0 or 1 behind a threshold.

    A bipolar activation is 2a - 1; its offset and factor are in the next layer's biases, so that 0 and 1 are all that
    is stored.
    """
    d = Drawing("drawn-cnv-binary", (3, 32, 32), Quantity(1.0), seed=6, reach=1, steps=1)
    for channels in (64, 128, 256):
        d.conv(channels, 3, padded=False)
        d.conv(channels, 3, padded=False)
        if channels < 256:
            d.maximum()
    d.flatten()
    d.dense(512)
    d.dense(512)
    d.dense(10, relu=False)
    return d.network()
