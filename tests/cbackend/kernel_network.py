"""A small network whose layers call every vectorised kernel."""

from microstage_bench.drawn_networks import Drawing
from microstage_bench.network import DrawnNetwork, Quantity

__all__ = ["every_kernel"]


def every_kernel() -> DrawnNetwork:
    """3 x 11 x 11 -> 12: a sum, a depthwise layer, weights of 8, 4 and 1 bits, products of signs and their maximum, an
    average."""
    d = Drawing("every-kernel", (3, 11, 11), Quantity(1 / 128), seed=1)
    first = d.conv(16, 3)
    d.add(first, d.conv(16, 3, relu=False))
    d.depthwise(3)
    d.reach, d.steps = 3, 7
    d.conv(30, 3)  # fewer weights would not be packed
    d.reach, d.steps = 1, 1
    d.conv(64, 3, padded=False)
    d.conv(70, 3, padded=False)
    d.maximum()
    d.conv(64, 2, padded=False)
    d.reach, d.steps = 127, 255
    d.conv(24, 1)
    d.average()
    d.flatten()
    d.dense(12, relu=False)
    return d.network()
