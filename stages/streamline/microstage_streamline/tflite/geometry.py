"""Lay windows over images: the pads that SAME and VALID mean (tensorflow/lite/kernels/padding.h)."""

from __future__ import annotations

from collections.abc import Sequence

from microstage.errors import ModelError

__all__ = ["pads_of", "SAME", "VALID"]

SAME, VALID = 0, 1


def pads_of(
    padding: int, image: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[int]:
    """Return [top, left, bottom, right]; of an odd number, SAME pads one more behind than before."""
    if min(*strides, *dilations, *kernel) < 1:
        raise ModelError(f"has a window of {list(kernel)} at strides {list(strides)} and dilations {list(dilations)}")
    if padding == VALID:
        return [0, 0, 0, 0]
    if padding != SAME:
        raise ModelError(f"has padding {padding}; expected SAME or VALID")
    sums = []
    for size, taps, stride, dilation in zip(image, kernel, strides, dilations):
        sums.append(max((-(-size // stride) - 1) * stride + (taps - 1) * dilation + 1 - size, 0))
    return [*(total // 2 for total in sums), *(total - total // 2 for total in sums)]
