"""The windows that a convolution or a pooling slides over an image, before anything is computed of them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from microstage.errors import ModelError
from microstage_rtl.program.call import HeldTensor

__all__ = ["WindowsOf"]


@dataclass(frozen=True)
class WindowsOf:
    """Windows of `kernel` over `x` [1, H, W, C], which holds its padding; or rows [..., C] as windows of one pixel."""

    x: HeldTensor
    height: int
    width: int
    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    output: tuple[int, ...]
    "The shape of the results without the channels."

    @classmethod
    def rows(cls, x: HeldTensor) -> WindowsOf:
        """Return each row of the last axis as a window."""
        channels = x.shape[-1]
        return cls(x, 1, x.size // channels, channels, (1, 1), (1, 1), (1, 1), x.shape[:-1])

    @classmethod
    def over(cls, place: str, x: HeldTensor, kernel, stride, dilation) -> WindowsOf:
        """Return the windows over an image; `ModelError` where none fits."""
        _, height, width, channels = x.shape
        sizes = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip((height, width), kernel, stride, dilation)]
        if min(sizes) < 1:
            raise ModelError(f"{place} slides windows of {list(kernel)} over {height} by {width}, where none fits.")
        pairs = tuple(kernel), tuple(stride), tuple(dilation)
        return cls(x, height, width, channels, *pairs, (1, *sizes))

    @property
    def depth(self) -> int:
        """Count the integers of a window."""
        return self.kernel[0] * self.kernel[1] * self.channels

    @property
    def positions(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the loops over windows."""
        if self.height == 1 and self.kernel == (1, 1):
            return (1, 0), (prod(self.output), self.channels * self.stride[1])
        rows, columns = self.output[1:]
        return (rows, self.stride[0] * self.width * self.channels), (columns, self.stride[1] * self.channels)

    def taps(self, channels: int) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """Return the loops over what a window holds: of all its channels, or of one."""
        rows = self.kernel[0], self.dilation[0] * self.width * self.channels
        step = self.dilation[1] * self.channels
        if channels == step or self.kernel[1] == 1:
            return (1, 0), rows, (self.kernel[1] * channels, 1)
        if channels == 1:
            return (1, 0), rows, (self.kernel[1], step)
        return rows, (self.kernel[1], step), (channels, 1)

    def is_depthwise(self, weights: np.ndarray) -> bool:
        """Tell whether each filter meets its own channel only; `weights` int64 [depth, filters]."""
        if self.kernel == (1, 1) or weights.shape[1] != self.channels or self.channels == 1:
            return False
        by_channel = weights.reshape(-1, self.channels, self.channels)
        return not by_channel[:, ~np.eye(self.channels, dtype=bool)].any()

    def own_channel(self, weights: np.ndarray) -> np.ndarray:
        """Return the weights [channels, taps] of filters that meet their own channel only."""
        return np.diagonal(weights.reshape(-1, self.channels, self.channels), axis1=1, axis2=2).T

    def ends_of_products(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the greatest sum of products of each filter, [filters]; zero is among what pads."""
        low, high = (np.tile(end, weights.shape[0] // self.channels) for end in self.channel_ends())
        above, below = np.maximum(weights, 0), np.minimum(weights, 0)
        return low @ above + high @ below, high @ above + low @ below

    def channel_ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of each channel [channels] over all places of the image."""
        shape = (-1, self.channels)
        return self.x.low.reshape(shape).min(axis=0), self.x.high.reshape(shape).max(axis=0)
