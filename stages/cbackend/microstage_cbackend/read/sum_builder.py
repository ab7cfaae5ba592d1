"""Append layers that sum products: matrix products and convolutions, with the accumulator that their sums need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from microstage.errors import ModelError
from microstage.requantise import Raw
from microstage_cbackend.program.ir import Tensor, accumulator_type
from microstage_cbackend.program.windows import Window
from microstage_cbackend.read.dot_ranges import dot_range
from microstage_cbackend.read.memory_builder import MemoryBuilder

__all__ = ["SumBuilder"]


@dataclass(frozen=True)
class _Products:
    """Describe what is summed: products with `weights`, in the order in which `kernel` reads them, and a `bias`.

    `scratch` counts the elements of working memory that the kernel has.
    """

    kernel: str
    weights: np.ndarray
    bias: np.ndarray | None
    scratch: int = 0


def _depthwise(kernel: np.ndarray, bias: np.ndarray | None) -> _Products:
    """Describe a convolution by [channels, kernel_h, kernel_w, 1] of each channel by itself."""
    return _Products("ms_depthwise", kernel[..., 0].transpose(1, 2, 0), bias, len(kernel))


class SumBuilder(MemoryBuilder):
    """Append layers that sum products of values and constants."""

    def linear(
        self, place: str, operator: str, name: str, x: Tensor, weights: np.ndarray, bias: np.ndarray | None = None
    ) -> Tensor:
        """Multiply `x` [..., depth] by `weights` [columns, depth] and add integers `bias` [columns]."""
        if x.shape[-1] != weights.shape[1]:
            raise ModelError(
                f"{place} multiplies {list(x.shape)} by {list(weights.shape[::-1])}; their depths must agree."
            )
        x, order = self._rows(place, x, weights.shape[1])
        weights = weights[:, order]
        low, high, *partial = dot_range(weights, x.low, x.high, bias)
        y = Tensor(name, (*x.shape[:-1], len(weights)), low, high)
        shape = {"rows": prod(x.shape[:-1]), "depth": weights.shape[1], "columns": len(weights)}
        self._sum(place, operator, _Products("ms_linear", weights, bias), x, y, shape, partial)
        return y

    def _rows(self, place: str, x: Tensor, depth: int) -> tuple[Tensor, np.ndarray]:
        """Return `x` with its rows one after another in memory, and the order of a row's values there."""
        places = x.places.reshape(-1, depth)
        starts = places.min(axis=1)
        inside = places - starts[:, None]
        order = np.argsort(inside[0])
        together = np.array_equal(starts, starts[0] + depth * np.arange(len(starts)))
        if together and np.array_equal(np.sort(inside[0]), np.arange(depth)) and np.all(inside == inside[0]):
            return x.view(x.name, (starts[:, None] + np.arange(depth)).reshape(x.shape)), order
        return self.packed(place, x, x.places), np.arange(depth)

    def conv(
        self,
        place: str,
        operator: str,
        name: str,
        x: Tensor,
        weights: np.ndarray,
        bias: np.ndarray | None,
        groups: int,
        window: Window,
        pad_value: int = 0,
    ) -> Tensor:
        """Convolve `x` [1, channels, (height,) width] by [filters, channels / groups, (kernel_h,) kernel_w]."""
        filters, channels = len(weights), x.shape[1]
        if weights.shape[1] * groups != channels or filters % groups:
            raise ModelError(
                f"{place} has {channels} channels, {groups} groups and weights {list(weights.shape)}, which do not "
                "agree."
            )
        kernel = weights.reshape(filters, weights.shape[1], -1, weights.shape[-1]).transpose(0, 2, 3, 1)
        x = self._padded(place, self.channels_last(place, x), pad_value, window)
        ends = (min(x.low, pad_value), max(x.high, pad_value)) if window.padded else (x.low, x.high)
        low, high, *partial = dot_range(kernel.reshape(filters, -1), *ends, bias)
        y = Tensor(name, (*window.output2, filters), low, high)
        if groups == 1 and window.pointwise:
            shape = {"rows": prod(window.output2), "depth": channels, "columns": filters}
            products = _Products("ms_linear", kernel[:, 0, 0], bias)
        else:
            shape = {"channels": channels, "filters": filters, "groups": groups, "pad_value": pad_value}
            shape |= window.sizes(dilated=True)
            depthwise = groups == channels == filters
            products = _depthwise(kernel, bias) if depthwise else _Products("ms_conv2d", kernel, bias, kernel[0].size)
        self._sum(place, operator, products, x, y, shape, partial)
        return self._channels_first(y, window.output)

    def _sum(
        self,
        place: str,
        operator: str,
        products: _Products,
        x: Tensor,
        y: Tensor,
        shape: dict[str, int],
        partial: Sequence[int],
    ) -> None:
        """Append the layer that fills `y` with sums of `products` of `x`, whose partial sums lie within `partial`."""
        least, most = partial
        accumulator, bias = accumulator_type(least, most, f"{place}: its sum"), products.bias
        weights = np.ascontiguousarray(products.weights)
        w = Tensor(f"{y.name}_weights", weights.shape, int(weights.min()), int(weights.max()), weights)
        remark = f"partial sums within {least}..{most}, {accumulator}"
        layer = self.layer(place, operator, products.kernel, [x, w], y, shape, accumulator, remark)
        layer.stage, layer.partial, layer.scratch = Raw(accumulator == "int64_t"), (least, most), products.scratch
        if bias is not None and np.any(bias):
            name = f"{y.name}_bias"
            layer.bias = Tensor(name, bias.shape, int(bias.min()), int(bias.max()), bias, declared=accumulator)

    def patches(self, place: str, operator: str, name: str, x: Tensor, window: Window, pad_value: int) -> Tensor:
        """Copy what each position of `window` sees of `x` [1, height, width, channels].

        The result has the order (kernel_h, kernel_w, channels) along its last axis.
        """
        x = self._padded(place, self.dense(place, x), pad_value, window)
        low, high = (min(x.low, pad_value), max(x.high, pad_value)) if window.padded else (x.low, x.high)
        y = Tensor(name, (1, *window.output, prod(window.kernel) * x.shape[3]), low, high)
        self.layer(
            place,
            operator,
            "ms_im2col",
            [x],
            y,
            {"channels": x.shape[3], "pad_value": pad_value, **window.sizes(dilated=True)},
        )
        return y

    def _padded(self, place: str, x: Tensor, pad_value: int, window: Window) -> Tensor:
        """Return `x` in a type that holds what stands outside it, too, as patches of both are copied together.

        The caller's type stays: an input is copied.
        """
        if not window.padded or x.root.low <= pad_value <= x.root.high:
            return x
        x = self.packed(place, x, x.places) if x.root in self.part.inputs else x
        x.root.low, x.root.high = min(x.root.low, pad_value), max(x.root.high, pad_value)
        return x
