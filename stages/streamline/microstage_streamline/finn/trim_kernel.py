"""Trim taps of a filter that never meet the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["trimmed"]


def trimmed(
    weight: np.ndarray, image: Sequence[int], strides: Sequence[int], dilations: Sequence[int], pads: Sequence[int]
):
    """Return (weight, pads) of the same convolution without the outer taps that lie in the padding at every place.

    Tap t reads row o s + t d - p of h for every output row o; where it meets none of 0..h-1, its products are all zero.
    The pads shrink by the taps' reach, so that the output keeps its size. Precondition: no pad becomes negative, or
    that axis stays.
    """
    pads, spatial = list(pads), len(image)
    for axis in range(spatial):
        before, after, taps = pads[axis], pads[axis + spatial], weight.shape[axis + 2]
        outputs = (image[axis] + before + after - dilations[axis] * (taps - 1) - 1) // strides[axis] + 1
        rows = np.arange(outputs)[:, None] * strides[axis] + np.arange(taps) * dilations[axis] - before
        meets = np.flatnonzero(((rows >= 0) & (rows < image[axis])).any(axis=0))
        if not len(meets):
            continue
        first, last = int(meets[0]), int(meets[-1])
        shrunk = before - first * dilations[axis], after - (taps - 1 - last) * dilations[axis]
        if min(shrunk) >= 0:
            weight = np.take(weight, range(first, last + 1), axis + 2)
            pads[axis], pads[axis + spatial] = shrunk
    return weight, pads
